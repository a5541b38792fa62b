// The first process of the User Mode Linux that builds guests: makes the host's root, read-only, its own, loads the
// driver of the disk, runs the script that the environment names, says its exit status, and powers off.
#define _GNU_SOURCE
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void try_mount(const char *what, const char *where, const char *kind, unsigned long flags, const char *data) {
  if (mount(what, where, kind, flags, data) != 0) perror(where);
}

int main(void) {
  glob_t drivers;
  int status = 0;
  mkdir("/host", 0755);
  try_mount("none", "/host", "hostfs", MS_RDONLY, "/");
  if (glob("/host/usr/lib/uml/modules/*/kernel/drivers/block/virtio_blk.ko", 0, NULL, &drivers) == 0) {
    int file = open(drivers.gl_pathv[0], O_RDONLY);
    if (syscall(SYS_finit_module, file, "", 0) != 0) perror("virtio_blk");
  }
  try_mount("devtmpfs", "/host/dev", "devtmpfs", 0, NULL);
  try_mount("proc", "/host/proc", "proc", 0, NULL);
  try_mount("sysfs", "/host/sys", "sysfs", 0, NULL);
  try_mount("tmpfs", "/host/run", "tmpfs", 0, NULL);
  try_mount("tmpfs", "/host/tmp", "tmpfs", 0, NULL);
  try_mount("tmpfs", "/host/mnt", "tmpfs", 0, NULL);
  pid_t script = fork();
  if (script == 0) {
    if (chroot("/host") != 0 || chdir("/") != 0) _exit(126);
    setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
    execl("/bin/sh", "sh", getenv("SCRIPT"), (char *)NULL);
    _exit(127);
  }
  waitpid(script, &status, 0);
  printf("\nSCRIPT-EXIT %d\n", WIFEXITED(status) ? WEXITSTATUS(status) : 255);
  fflush(stdout);
  sync();
  reboot(RB_POWER_OFF);
}
