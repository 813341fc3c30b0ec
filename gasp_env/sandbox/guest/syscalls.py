"""System calls by name: what a program may ask of the kernel, and the numbers on the two machines we know.

A name that one machine lacks (aarch64 has no ``open`` or ``fork``) is left out there.
"""

__all__ = ("ALLOW", "AUDIT_ARCH", "FILES", "KILL", "NUMBERS")

AUDIT_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
"""``AUDIT_ARCH_*`` of linux/audit.h."""


def _names(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ALLOW = _names("""
read write readv writev pread64 pwrite64 lseek close fstat getdents64 fadvise64 mmap munmap mprotect mremap madvise
brk mincore msync rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait rt_sigsuspend sigaltstack
restart_syscall pause alarm setitimer getitimer timer_create timer_settime timer_gettime timer_delete timer_getoverrun
futex futex_waitv set_robust_list get_robust_list rseq membarrier sched_yield sched_getaffinity sched_getparam
sched_getscheduler sched_get_priority_max sched_get_priority_min set_tid_address gettid getpid getppid getpgrp getpgid
getsid getuid geteuid getgid getegid getgroups getresuid getresgid clock_gettime clock_getres clock_nanosleep
nanosleep gettimeofday time times getrusage sysinfo uname getrandom getcpu umask arch_prctl getrlimit getpriority
capget pipe pipe2 dup dup2 dup3 poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl epoll_wait epoll_pwait
epoll_pwait2 eventfd eventfd2 timerfd_create timerfd_settime timerfd_gettime recvfrom recvmsg shutdown getsockname
getpeername getsockopt setsockopt fstatfs ftruncate fsync fdatasync close_range exit exit_group
""")
"""Allowed whatever the arguments."""

FILES = _names("""
access faccessat faccessat2 getcwd lstat newfstatat open openat readlink readlinkat stat statfs statx
""")
"""Reading by path: allowed where Landlock says which paths, refused where there is no Landlock (level L1)."""

KILL = _names("""
fork vfork execve execveat ptrace process_vm_readv process_vm_writev process_madvise process_mrelease unshare setns
mount umount2 pivot_root chroot bpf perf_event_open io_uring_setup io_uring_enter io_uring_register keyctl add_key
request_key userfaultfd pidfd_send_signal pidfd_getfd open_by_handle_at name_to_handle_at kexec_load kexec_file_load
init_module finit_module delete_module swapon swapoff reboot move_mount open_tree fsopen fsconfig fsmount fspick
mount_setattr kcmp iopl ioperm quotactl acct settimeofday clock_settime sethostname setdomainname seccomp modify_ldt
lookup_dcookie vhangup personality
""")
"""No honest program calls these: the process is killed and the verdict is ``forbidden``."""

_X86_64 = """
read=0 write=1 open=2 close=3 stat=4 fstat=5 lstat=6 poll=7 lseek=8 mmap=9 mprotect=10 munmap=11 brk=12
rt_sigaction=13 rt_sigprocmask=14 rt_sigreturn=15 ioctl=16 pread64=17 pwrite64=18 readv=19 writev=20 access=21 pipe=22
select=23 sched_yield=24 mremap=25 msync=26 mincore=27 madvise=28 dup=32 dup2=33 pause=34 nanosleep=35 getitimer=36
alarm=37 setitimer=38 getpid=39 sendto=44 recvfrom=45 sendmsg=46 recvmsg=47 shutdown=48 getsockname=51 getpeername=52
socketpair=53 setsockopt=54 getsockopt=55 clone=56 fork=57 vfork=58 execve=59 exit=60 wait4=61 kill=62 uname=63
fcntl=72 fsync=74 fdatasync=75 ftruncate=77 getcwd=79 readlink=89 umask=95 gettimeofday=96 getrlimit=97 getrusage=98
sysinfo=99 times=100 ptrace=101 getuid=102 getgid=104 geteuid=107 getegid=108 getppid=110 getpgrp=111 getgroups=115
getresuid=118 getresgid=120 getpgid=121 getsid=124 capget=125 rt_sigpending=127 rt_sigtimedwait=128 rt_sigsuspend=130
sigaltstack=131 personality=135 statfs=137 fstatfs=138 getpriority=140 sched_getparam=143 sched_getscheduler=145
sched_get_priority_max=146 sched_get_priority_min=147 vhangup=153 modify_ldt=154 pivot_root=155 prctl=157
arch_prctl=158 chroot=161 acct=163 settimeofday=164 mount=165 umount2=166 swapon=167 swapoff=168 reboot=169
sethostname=170 setdomainname=171 iopl=172 ioperm=173 init_module=175 delete_module=176 quotactl=179 gettid=186
time=201 futex=202 sched_getaffinity=204 lookup_dcookie=212 epoll_create=213 getdents64=217 set_tid_address=218
restart_syscall=219 fadvise64=221 timer_create=222 timer_settime=223 timer_gettime=224 timer_getoverrun=225
timer_delete=226 clock_settime=227 clock_gettime=228 clock_getres=229 clock_nanosleep=230 exit_group=231
epoll_wait=232 epoll_ctl=233 tgkill=234 kexec_load=246 add_key=248 request_key=249 keyctl=250 openat=257
newfstatat=262 readlinkat=267 faccessat=269 pselect6=270 ppoll=271 unshare=272 set_robust_list=273 get_robust_list=274
epoll_pwait=281 timerfd_create=283 eventfd=284 timerfd_settime=286 timerfd_gettime=287 eventfd2=290 epoll_create1=291
dup3=292 pipe2=293 perf_event_open=298 prlimit64=302 name_to_handle_at=303 open_by_handle_at=304 setns=308 getcpu=309
process_vm_readv=310 process_vm_writev=311 kcmp=312 finit_module=313 seccomp=317 getrandom=318 memfd_create=319
kexec_file_load=320 bpf=321 execveat=322 userfaultfd=323 membarrier=324 statx=332 rseq=334 pidfd_send_signal=424
io_uring_setup=425 io_uring_enter=426 io_uring_register=427 open_tree=428 move_mount=429 fsopen=430 fsconfig=431
fsmount=432 fspick=433 pidfd_open=434 clone3=435 close_range=436 pidfd_getfd=438 faccessat2=439 process_madvise=440
epoll_pwait2=441 mount_setattr=442 process_mrelease=448 futex_waitv=449
"""

_AARCH64 = """
getcwd=17 lookup_dcookie=18 eventfd2=19 epoll_create1=20 epoll_ctl=21 epoll_pwait=22 dup=23 dup3=24 fcntl=25 ioctl=29
umount2=39 mount=40 pivot_root=41 statfs=43 fstatfs=44 ftruncate=46 faccessat=48 chroot=51 openat=56 close=57
vhangup=58 pipe2=59 quotactl=60 getdents64=61 lseek=62 read=63 write=64 readv=65 writev=66 pread64=67 pwrite64=68
pselect6=72 ppoll=73 readlinkat=78 newfstatat=79 fstat=80 fsync=82 fdatasync=83 timerfd_create=85 timerfd_settime=86
timerfd_gettime=87 acct=89 capget=90 personality=92 exit=93 exit_group=94 set_tid_address=96 unshare=97 futex=98
set_robust_list=99 get_robust_list=100 nanosleep=101 getitimer=102 setitimer=103 kexec_load=104 init_module=105
delete_module=106 timer_create=107 timer_gettime=108 timer_getoverrun=109 timer_settime=110 timer_delete=111
clock_settime=112 clock_gettime=113 clock_getres=114 clock_nanosleep=115 ptrace=117 sched_getscheduler=120
sched_getparam=121 sched_getaffinity=123 sched_yield=124 sched_get_priority_max=125 sched_get_priority_min=126
restart_syscall=128 kill=129 tgkill=131 sigaltstack=132 rt_sigsuspend=133 rt_sigaction=134 rt_sigprocmask=135
rt_sigpending=136 rt_sigtimedwait=137 rt_sigreturn=139 getpriority=141 reboot=142 getresuid=148 getresgid=150
times=153 getpgid=155 getsid=156 getgroups=158 uname=160 sethostname=161 setdomainname=162 getrlimit=163 getrusage=165
umask=166 prctl=167 getcpu=168 gettimeofday=169 settimeofday=170 getpid=172 getppid=173 getuid=174 geteuid=175
getgid=176 getegid=177 gettid=178 sysinfo=179 socketpair=199 getsockname=204 getpeername=205 sendto=206 recvfrom=207
setsockopt=208 getsockopt=209 shutdown=210 sendmsg=211 recvmsg=212 brk=214 munmap=215 mremap=216 add_key=217
request_key=218 keyctl=219 clone=220 execve=221 mmap=222 fadvise64=223 swapon=224 swapoff=225 mprotect=226 msync=227
mincore=232 madvise=233 perf_event_open=241 wait4=260 prlimit64=261 name_to_handle_at=264 open_by_handle_at=265
setns=268 process_vm_readv=270 process_vm_writev=271 kcmp=272 finit_module=273 seccomp=277 getrandom=278
memfd_create=279 bpf=280 execveat=281 userfaultfd=282 membarrier=283 statx=291 rseq=293 kexec_file_load=294
pidfd_send_signal=424 io_uring_setup=425 io_uring_enter=426 io_uring_register=427 open_tree=428 move_mount=429
fsopen=430 fsconfig=431 fsmount=432 fspick=433 pidfd_open=434 clone3=435 close_range=436 pidfd_getfd=438
faccessat2=439 process_madvise=440 epoll_pwait2=441 mount_setattr=442 process_mrelease=448 futex_waitv=449
"""


def _numbers(text: str) -> dict[str, int]:
    return {name: int(number) for name, number in (item.split("=") for item in text.split())}


NUMBERS = {"x86_64": _numbers(_X86_64), "aarch64": _numbers(_AARCH64)}
