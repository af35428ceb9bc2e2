package lambda

import "syscall"

// ownGroup starts a process in a group of its own, so that Close ends all that it started, and
// has the kernel kill it when the rehearsal itself dies.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
