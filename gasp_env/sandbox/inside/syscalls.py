"""System-call numbers and the allow-list of the sandboxed child, for x86-64 and aarch64. Standard library only.

The law of this file: what is not listed is refused with EPERM, so that ``try: import socket`` survives; what no honest
program ever calls ends the process (SIGSYS), which the parent reports as ``forbidden``.
"""

__all__ = ("ALLOWED", "ARCHES", "KILLED", "OPENING", "numbers")

ALLOWED = (
    "read write readv writev pread64 pwrite64 lseek close fstat fstatfs statfs newfstatat stat lstat statx access "
    "faccessat faccessat2 readlink readlinkat open openat getdents64 getcwd fcntl dup dup2 dup3 ftruncate fsync "
    "fdatasync pipe pipe2 eventfd2 poll ppoll select pselect6 epoll_create1 epoll_ctl epoll_wait epoll_pwait mmap munmap "
    "mremap mprotect madvise brk membarrier mincore futex set_robust_list get_robust_list rseq sched_yield "
    "sched_getaffinity sched_getparam sched_getscheduler getpid gettid getppid getuid geteuid getgid getegid getgroups "
    "getpgid getpgrp getsid getresuid getresgid getpriority getrlimit getrusage sysinfo uname times time gettimeofday clock_gettime "
    "clock_getres clock_nanosleep nanosleep getrandom getitimer setitimer alarm pause timer_create timer_settime "
    "timer_delete timer_gettime timer_getoverrun timerfd_create timerfd_settime timerfd_gettime rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigsuspend "
    "rt_sigtimedwait sigaltstack signalfd4 exit exit_group restart_syscall umask arch_prctl sendto recvfrom shutdown "
    "getsockname getpeername getsockopt getcpu fadvise64 copy_file_range set_tid_address wait4 waitid"
).split()
"""Allowed whatever their arguments. Landlock decides which paths `open` may reach; ``sendto`` and the like have only
the socket pairs that `socketpair` gave (asyncio needs one)."""

OPENING = frozenset(
    "open openat stat lstat newfstatat statx access faccessat faccessat2 readlink readlinkat statfs getcwd getdents64".split()
)
"""Left out of the strict filter (L1), where there is no Landlock."""

KILLED = (
    "ptrace process_vm_readv process_vm_writev unshare setns mount umount2 pivot_root chroot bpf perf_event_open "
    "io_uring_setup io_uring_enter io_uring_register keyctl add_key request_key userfaultfd open_by_handle_at "
    "name_to_handle_at pidfd_open pidfd_send_signal pidfd_getfd init_module finit_module delete_module kexec_load "
    "kexec_file_load reboot swapon swapoff open_tree move_mount fsopen fsconfig fsmount fspick mount_setattr process_madvise kcmp"
).split()
"""Never made by an honest program."""

_X86 = """
read 0 write 1 open 2 close 3 stat 4 fstat 5 lstat 6 poll 7 lseek 8 mmap 9 mprotect 10 munmap 11 brk 12 rt_sigaction 13
rt_sigprocmask 14 rt_sigreturn 15 ioctl 16 pread64 17 pwrite64 18 readv 19 writev 20 access 21 pipe 22 select 23
sched_yield 24 mremap 25 mincore 27 madvise 28 dup 32 dup2 33 pause 34 nanosleep 35 getitimer 36 alarm 37 setitimer 38
getpid 39 socket 41 connect 42 sendto 44 recvfrom 45 shutdown 48 getsockname 51 getpeername 52 socketpair 53
getsockopt 55 clone 56 fork 57 vfork 58 execve 59 exit 60 wait4 61 kill 62 uname 63 fcntl 72 fsync 74 fdatasync 75 ftruncate 77
getcwd 79 readlink 89 umask 95 gettimeofday 96 getrlimit 97 getrusage 98 sysinfo 99 times 100 ptrace 101 getuid 102 getgid 104
geteuid 107 getegid 108 getppid 110 getpgrp 111 getgroups 115 getresuid 118 getresgid 120 getpgid 121 getsid 124
rt_sigpending 127 rt_sigtimedwait 128 rt_sigsuspend 130 sigaltstack 131 statfs 137 fstatfs 138 getpriority 140 sched_getparam 143
sched_getscheduler 145 pivot_root 155 prctl 157 arch_prctl 158 chroot 161 mount 165 umount2 166 swapon 167 swapoff 168 reboot 169
init_module 175 delete_module 176 gettid 186 time 201 futex 202 sched_getaffinity 204 getdents64 217 set_tid_address 218
restart_syscall 219 fadvise64 221 timer_create 222 timer_settime 223 timer_gettime 224 timer_getoverrun 225 timer_delete 226
clock_gettime 228 clock_getres 229 clock_nanosleep 230 exit_group 231 epoll_wait 232 epoll_ctl 233 tgkill 234 kexec_load 246 waitid 247
add_key 248 request_key 249 keyctl 250 openat 257 newfstatat 262 readlinkat 267 faccessat 269 pselect6 270 ppoll 271 unshare 272
set_robust_list 273 get_robust_list 274 epoll_pwait 281 timerfd_create 283 timerfd_settime 286 timerfd_gettime 287 signalfd4 289
eventfd2 290 epoll_create1 291 dup3 292 pipe2 293 perf_event_open 298 prlimit64 302 name_to_handle_at 303 open_by_handle_at 304
setns 308 getcpu 309 process_vm_readv 310 process_vm_writev 311 kcmp 312 finit_module 313 getrandom 318 kexec_file_load 320 bpf 321 userfaultfd 323
membarrier 324 copy_file_range 326 statx 332 rseq 334 pidfd_send_signal 424 io_uring_setup 425 io_uring_enter 426
io_uring_register 427 open_tree 428 move_mount 429 fsopen 430 fsconfig 431 fsmount 432 fspick 433 pidfd_open 434 clone3 435
pidfd_getfd 438 faccessat2 439 process_madvise 440 mount_setattr 442
"""
_ARM = """
getcwd 17 eventfd2 19 epoll_create1 20 epoll_ctl 21 epoll_pwait 22 dup 23 dup3 24 fcntl 25 ioctl 29 umount2 39 mount 40
pivot_root 41 statfs 43 fstatfs 44 ftruncate 46 faccessat 48 chroot 51 openat 56 close 57 pipe2 59 getdents64 61 lseek 62 read 63
write 64 readv 65 writev 66 pread64 67 pwrite64 68 pselect6 72 ppoll 73 signalfd4 74 readlinkat 78 newfstatat 79 fstat 80
fsync 82 fdatasync 83 timerfd_create 85 timerfd_settime 86 timerfd_gettime 87 exit 93 exit_group 94 waitid 95 set_tid_address 96 unshare 97 futex 98
set_robust_list 99 get_robust_list 100 nanosleep 101 getitimer 102 setitimer 103 kexec_load 104 init_module 105 delete_module 106
timer_create 107 timer_gettime 108 timer_getoverrun 109 timer_settime 110 timer_delete 111 clock_gettime 113 clock_getres 114 clock_nanosleep 115 ptrace 117
sched_getscheduler 120 sched_getparam 121 sched_getaffinity 123 sched_yield 124 restart_syscall 128 kill 129 tgkill 131
sigaltstack 132 rt_sigsuspend 133 rt_sigaction 134 rt_sigprocmask 135 rt_sigpending 136 rt_sigtimedwait 137 rt_sigreturn 139
getpriority 141 reboot 142 getresuid 148 getresgid 150 times 153 getpgid 155 getsid 156 getgroups 158 uname 160 getrlimit 163
getrusage 165 umask 166 prctl 167 getcpu 168 gettimeofday 169 getpid 172 getppid 173 getuid 174 geteuid 175 getgid 176 getegid 177
gettid 178 sysinfo 179 socket 198 socketpair 199 connect 203 getsockname 204 getpeername 205 sendto 206 recvfrom 207
getsockopt 209 shutdown 210 brk 214 munmap 215 mremap 216 add_key 217 request_key 218 keyctl 219 clone 220 execve 221 mmap 222
fadvise64 223 swapon 224 swapoff 225 mprotect 226 mincore 232 madvise 233 perf_event_open 241 wait4 260 prlimit64 261 name_to_handle_at 264
open_by_handle_at 265 setns 268 process_vm_readv 270 process_vm_writev 271 kcmp 272 finit_module 273 getrandom 278 bpf 280
userfaultfd 282 membarrier 283 copy_file_range 285 statx 291 rseq 293 kexec_file_load 294 pidfd_send_signal 424 io_uring_setup 425 io_uring_enter 426
io_uring_register 427 open_tree 428 move_mount 429 fsopen 430 fsconfig 431 fsmount 432 fspick 433 pidfd_open 434 clone3 435
pidfd_getfd 438 faccessat2 439 process_madvise 440 mount_setattr 442
"""


def numbers(table: str) -> dict[str, int]:
    """Read a table of names and numbers."""
    words = table.split()
    return {name: int(number) for name, number in zip(words[::2], words[1::2], strict=True)}


ARCHES = {
    "x86_64": (0xC000003E, numbers(_X86)),
    "aarch64": (0xC00000B7, numbers(_ARM)),
}
"""Machine name -> (audit architecture, numbers). Calls that an architecture lacks (``open`` on aarch64) are left out."""
