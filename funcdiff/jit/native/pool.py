"""Worker threads for the large loops of kernels: POSIX threads that never touch the interpreter.

A loop is handed over as a *task*, a function of a range and how many units the whole range has. The caller enters its task
in a list, and takes part after part of the range, as do the workers that are free; whoever takes which part makes no
difference to the results. It takes its task off the list when no part is left, and waits for those who are still at one.
As every caller does its own work where nobody helps, several may call at once, and missing workers do no harm.

Workers are started when they are first needed, so a process that has been forked starts its own. Signals are left to
the threads of the interpreter, and parts are computed under the floating-point modes of the caller.
"""

from __future__ import annotations

import ctypes
import os
import signal
import threading
from collections.abc import Callable

from funcdiff.jit import threads
from funcdiff.jit.native.engine import Library, engine, runtime
from funcdiff.jit.native.once import once

PARTS = 4  # of a task per thread, so that one that is held up does not hold up all
_SPINS = 2000  # looks at whether a worker is ready, before the caller sleeps: some microseconds

_resizing = threading.Lock()

# The state of the pool: how many threads are wanted, how many workers run, the first task; then what they wait for.
_WANTED, _RUNNING, _TASKS, _MUTEX, _WORK, _DONE, _BYTES = 0, 8, 16, 64, 192, 320, 448
# A task: its function and context, the next part, how many parts, units per part and units, how many workers are at it,
# the task after it, and the floating-point modes.
_FUNCTION, _CONTEXT, _NEXT, _COUNT, _SIZE, _UNITS, _USERS, _LINK, _MODES, _TASK = (
    0,
    8,
    16,
    24,
    32,
    40,
    48,
    56,
    64,
    128,
)

_CALLED = (
    "fegetenv",
    "fesetenv",
    "pthread_cond_broadcast",
    "pthread_cond_init",
    "pthread_cond_wait",
    "pthread_create",
    "pthread_detach",
    "pthread_mutex_init",
    "pthread_mutex_lock",
    "pthread_mutex_unlock",
    "pthread_sigmask",
)


def _field(name: str, of: str, offset: int) -> str:
    return f"  {name} = getelementptr i8, ptr {of}, i64 {offset}\n"


_TEXT = f"""
@pool = external global i8
@all.signals = private constant [16 x i64] [{", ".join(["i64 -1"] * 16)}]
declare i32 @fegetenv(ptr)
declare i32 @fesetenv(ptr)
declare i32 @pthread_cond_broadcast(ptr)
declare i32 @pthread_cond_init(ptr, ptr)
declare i32 @pthread_cond_wait(ptr, ptr)
declare i32 @pthread_create(ptr, ptr, ptr, ptr)
declare i32 @pthread_detach(ptr)
declare i32 @pthread_mutex_init(ptr, ptr)
declare i32 @pthread_mutex_lock(ptr)
declare i32 @pthread_mutex_unlock(ptr)
declare i32 @pthread_sigmask(i32, ptr, ptr)
declare i64 @llvm.umax.i64(i64, i64)
declare i64 @llvm.umin.i64(i64, i64)

; get ready, in a new process too
define void @fd.pool.open() {{
{_field("%running", "@pool", _RUNNING)}{_field("%tasks", "@pool", _TASKS)}{_field("%mutex", "@pool", _MUTEX)}
{_field("%work", "@pool", _WORK)}{_field("%done", "@pool", _DONE)}
  store i64 0, ptr %running
  store ptr null, ptr %tasks
  call i32 @pthread_mutex_init(ptr %mutex, ptr null)
  call i32 @pthread_cond_init(ptr %work, ptr null)
  call i32 @pthread_cond_init(ptr %done, ptr null)
  ret void
}}

; say how many threads there shall be; workers that are too many leave
define void @fd.pool.resize(i64 %count) {{
{_field("%mutex", "@pool", _MUTEX)}{_field("%work", "@pool", _WORK)}
  call i32 @pthread_mutex_lock(ptr %mutex)
  store atomic i64 %count, ptr @pool seq_cst, align 8
  call i32 @pthread_cond_broadcast(ptr %work)
  call i32 @pthread_mutex_unlock(ptr %mutex)
  ret void
}}

; take part after part of a task
define internal void @run(ptr %task) noinline {{
entry:
  %function = load ptr, ptr %task
{_field("%context.at", "%task", _CONTEXT)}{_field("%next.at", "%task", _NEXT)}{_field("%count.at", "%task", _COUNT)}
{_field("%size.at", "%task", _SIZE)}{_field("%units.at", "%task", _UNITS)}
  %context = load ptr, ptr %context.at
  %count = load i64, ptr %count.at
  %size = load i64, ptr %size.at
  %units = load i64, ptr %units.at
  br label %take
take:
  %part = atomicrmw add ptr %next.at, i64 1 seq_cst
  %is.left = icmp ult i64 %part, %count
  br i1 %is.left, label %compute, label %done
compute:
  %low = mul i64 %part, %size
  %end = add i64 %low, %size
  %high = call i64 @llvm.umin.i64(i64 %end, i64 %units)
  call void %function(ptr %context, i64 %low, i64 %high)
  br label %take
done:
  ret void
}}

define internal ptr @worker(ptr %unused) {{
entry:
{_field("%running.at", "@pool", _RUNNING)}{_field("%tasks", "@pool", _TASKS)}{_field("%mutex", "@pool", _MUTEX)}
{_field("%work", "@pool", _WORK)}{_field("%done", "@pool", _DONE)}
  call i32 @pthread_mutex_lock(ptr %mutex)
  br label %look
look:
  %running = load i64, ptr %running.at
  %wanted = load atomic i64, ptr @pool seq_cst, align 8
  %surplus = icmp sge i64 %running, %wanted
  br i1 %surplus, label %leave, label %search
search:
  %at = phi ptr [ %tasks, %look ], [ %link, %following ]
  %task = load ptr, ptr %at
  %none = icmp eq ptr %task, null
  br i1 %none, label %wait, label %look.at
look.at:
{_field("%next.at", "%task", _NEXT)}{_field("%count.at", "%task", _COUNT)}{_field("%link", "%task", _LINK)}
{_field("%users.at", "%task", _USERS)}{_field("%modes", "%task", _MODES)}
  %next = load atomic i64, ptr %next.at seq_cst, align 8
  %count = load i64, ptr %count.at
  %is.left = icmp ult i64 %next, %count
  br i1 %is.left, label %help, label %following
following:
  br label %search
wait:
  call i32 @pthread_cond_wait(ptr %work, ptr %mutex)
  br label %look
help:
  %users = load atomic i64, ptr %users.at seq_cst, align 8
  %more.users = add i64 %users, 1
  store atomic i64 %more.users, ptr %users.at seq_cst, align 8
  call i32 @pthread_mutex_unlock(ptr %mutex)
  call i32 @fesetenv(ptr %modes)
  call void @run(ptr %task)
  call i32 @pthread_mutex_lock(ptr %mutex)
  %users.then = load atomic i64, ptr %users.at seq_cst, align 8
  %fewer.users = sub i64 %users.then, 1
  store atomic i64 %fewer.users, ptr %users.at seq_cst, align 8
  %was.last = icmp eq i64 %fewer.users, 0
  br i1 %was.last, label %tell, label %look
tell:
  call i32 @pthread_cond_broadcast(ptr %done)
  br label %look
leave:
  %fewer = sub i64 %running, 1
  store i64 %fewer, ptr %running.at
  call i32 @pthread_mutex_unlock(ptr %mutex)
  ret ptr null
}}

; start the workers that are missing; called with the mutex held
define internal void @start() noinline {{
entry:
  %thread = alloca ptr
  %signals = alloca [16 x i64], align 8
{_field("%running.at", "@pool", _RUNNING)}
  call i32 @pthread_sigmask(i32 {int(signal.SIG_SETMASK)}, ptr @all.signals, ptr %signals)
  br label %head
head:
  %running = load i64, ptr %running.at
  %wanted = load atomic i64, ptr @pool seq_cst, align 8
  %with.caller = add i64 %running, 1
  %missing = icmp slt i64 %with.caller, %wanted
  br i1 %missing, label %create, label %done
create:
  %failed = call i32 @pthread_create(ptr %thread, ptr null, ptr @worker, ptr null)
  %is.fine = icmp eq i32 %failed, 0
  br i1 %is.fine, label %created, label %done
created:
  store i64 %with.caller, ptr %running.at
  %new = load ptr, ptr %thread
  call i32 @pthread_detach(ptr %new)
  br label %head
done:
  call i32 @pthread_sigmask(i32 {int(signal.SIG_SETMASK)}, ptr %signals, ptr null)
  ret void
}}

; run a function over all units, in parts of so many at least
define void @fd.parallel(ptr %function, ptr %context, i64 %units, i64 %least) {{
entry:
  %task = alloca [{_TASK} x i8], align 16
  %wanted = load atomic i64, ptr @pool seq_cst, align 8
  %single = icmp slt i64 %wanted, 2
  %short = icmp ule i64 %units, %least
  %alone = or i1 %single, %short
  br i1 %alone, label %serial, label %parted
serial:
  call void %function(ptr %context, i64 0, i64 %units)
  ret void
parted:
{_field("%context.at", "%task", _CONTEXT)}{_field("%next.at", "%task", _NEXT)}{_field("%count.at", "%task", _COUNT)}
{_field("%size.at", "%task", _SIZE)}{_field("%units.at", "%task", _UNITS)}{_field("%users.at", "%task", _USERS)}
{_field("%link", "%task", _LINK)}{_field("%modes", "%task", _MODES)}
{_field("%tasks", "@pool", _TASKS)}{_field("%mutex", "@pool", _MUTEX)}{_field("%work", "@pool", _WORK)}
{_field("%done", "@pool", _DONE)}{_field("%running.at", "@pool", _RUNNING)}
  %parts.wanted = mul i64 %wanted, {PARTS}
  %up.0 = add i64 %units, %parts.wanted
  %up.1 = sub i64 %up.0, 1
  %even = udiv i64 %up.1, %parts.wanted
  %size = call i64 @llvm.umax.i64(i64 %even, i64 %least)
  %up.2 = add i64 %units, %size
  %up.3 = sub i64 %up.2, 1
  %count = udiv i64 %up.3, %size
  store ptr %function, ptr %task
  store ptr %context, ptr %context.at
  store i64 0, ptr %next.at
  store i64 %count, ptr %count.at
  store i64 %size, ptr %size.at
  store i64 %units, ptr %units.at
  store i64 0, ptr %users.at
  call i32 @fegetenv(ptr %modes)
  call i32 @pthread_mutex_lock(ptr %mutex)
  %running = load i64, ptr %running.at
  %with.caller = add i64 %running, 1
  %missing = icmp slt i64 %with.caller, %wanted
  br i1 %missing, label %fewer, label %enter
fewer:
  call void @start()
  br label %enter
enter:
  %first = load ptr, ptr %tasks
  store ptr %first, ptr %link
  store ptr %task, ptr %tasks
  call i32 @pthread_cond_broadcast(ptr %work)
  call i32 @pthread_mutex_unlock(ptr %mutex)
  call void @run(ptr %task)
  call i32 @pthread_mutex_lock(ptr %mutex)
  br label %search
search:
  %at = phi ptr [ %tasks, %enter ], [ %following, %further ]
  %here = load ptr, ptr %at
  %found = icmp eq ptr %here, %task
  br i1 %found, label %remove, label %further
further:
  %following = getelementptr i8, ptr %here, i64 {_LINK}
  br label %search
remove:
  %rest = load ptr, ptr %link
  store ptr %rest, ptr %at
  %users = load atomic i64, ptr %users.at seq_cst, align 8
  %is.over = icmp eq i64 %users, 0
  br i1 %is.over, label %over, label %release
release:
  call i32 @pthread_mutex_unlock(ptr %mutex)
  br label %spin
spin:
  %spins = phi i64 [ 0, %release ], [ %spins.next, %spin ]
  %users.now = load atomic i64, ptr %users.at seq_cst, align 8
  %busy = icmp ne i64 %users.now, 0
  %spins.next = add i64 %spins, 1
  %patient = icmp ult i64 %spins.next, {_SPINS}
  %again = and i1 %busy, %patient
  br i1 %again, label %spin, label %acquire
acquire:
  call i32 @pthread_mutex_lock(ptr %mutex)
  br label %check
check:
  %users.left = load atomic i64, ptr %users.at seq_cst, align 8
  %waiting = icmp ne i64 %users.left, 0
  br i1 %waiting, label %sleep, label %over
sleep:
  call i32 @pthread_cond_wait(ptr %done, ptr %mutex)
  br label %check
over:
  call i32 @pthread_mutex_unlock(ptr %mutex)
  ret void
}}
"""


@once
def _pool() -> Library | None:
    """Return the pool's code, its state made; None where the C library has no threads as they are known here."""
    found = {name: runtime(name) for name in _CALLED}
    symbols = {name: at for name, at in found.items() if at}
    if len(symbols) < len(_CALLED):
        return None
    allocate = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_size_t)(runtime("calloc") or 0)
    state = allocate(1, _BYTES)  # never given back, as workers look at it until the process ends
    if state is None:
        raise MemoryError
    library = engine().compile(
        [(_TEXT, 2)], {**symbols, "pool": state}, ["fd.pool.open", "fd.pool.resize", "fd.parallel"]
    )
    opened = ctypes.CFUNCTYPE(None)(library.address("fd.pool.open"))
    opened()
    resize = ctypes.CFUNCTYPE(None, ctypes.c_int64)(library.address("fd.pool.resize"))
    threads.when_set(lambda: _resize(resize))
    os.register_at_fork(after_in_child=lambda: _after_fork(opened))
    return library


def _resize(resize: Callable[[int], None]) -> None:
    with _resizing:  # what is said last is what holds
        resize(threads.get_num_threads())


def _after_fork(opened: Callable[[], None]) -> None:
    global _resizing
    _resizing = threading.Lock()  # another thread may have held it
    opened()


def is_available() -> bool:
    """Tell whether there are worker threads here."""
    return _pool() is not None


def address() -> int:
    """Return where `fd.parallel` starts."""
    library = _pool()
    assert library is not None
    return library.address("fd.parallel")
