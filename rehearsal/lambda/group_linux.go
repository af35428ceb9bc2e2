package lambda

import "syscall"

// ownGroup starts a process in a group of its own, so that Close ends all that it started, and
// has the kernel kill it when the rehearsal itself dies. The kernel goes by the thread that
// started it; Go ends a thread only when a goroutine locked to it ends, which none here does.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
