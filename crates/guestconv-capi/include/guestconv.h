/* libguestconv: make a guest boot on another hypervisor.
 *
 * ERRORS. Calls return 0 or a string, and -1 or NULL if they fail: then guestconv_last_error, guestconv_last_error_code
 * and guestconv_last_error_kind tell why, until the next call on the handle. The codes are stable; docs/errors.md lists
 * them and the kinds.
 * A NULL handle, a NULL argument that must be there and calls in the wrong order are errors.
 *
 * STRINGS are UTF-8 and end in NUL; paths are what the system says they are. What a call takes is copied. Strings that the
 * library returns belong to the caller, who frees them with guestconv_free, except those of guestconv_last_error,
 * guestconv_last_error_code, guestconv_last_error_kind and guestconv_version.
 *
 * ORDER. First drives, cards and options; then guestconv_inspect, for a target; then the calls that take xml: the
 * document that guestconv_inspect returned, edited or not. NULL accepts all defaults. What undoes a conversion needs no
 * target.
 *
 * THREADS. A handle is used by one thread at a time; different handles by different threads at the same time. Only
 * guestconv_cancel may be called while another call runs on the handle. Callbacks run in the thread of the call that
 * tells something; they must not call the library with the same handle, but for guestconv_cancel and guestconv_close,
 * which closes it when the call that runs has ended.
 *
 * The library does not print, does not change the locale, the working directory or signal handlers, and does not exit. It
 * starts processes of its own and waits for them by their number.
 */
#ifndef GUESTCONV_H
#define GUESTCONV_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A guest. */
typedef struct guestconv_h guestconv_h;

/* Is told how far a stage is: "recover", "inspect", "apply", "verify", "commit", "undo" or "prove"; stage lives during the
 * call. done is 0 when the stage begins and total when it has ended well. total is 0 as long as it is not known; its unit is
 * the stage's own. opaque is what was given with the callback. */
typedef void (*guestconv_progress_callback) (void *opaque, const char *stage, uint64_t done, uint64_t total);

/* Is given a line for the log, without a line feed; it lives during the call. */
typedef void (*guestconv_log_callback) (void *opaque, const char *line);

/* Returns a new handle. */
guestconv_h *guestconv_create (void);

/* Gives up a handle; NULL is allowed. */
void guestconv_close (guestconv_h *h);

/* Adds a disk of the guest, in the guest's order. name is its short name in the documents, NULL: sda, sdb ... by order.
 * The format is told by the first bytes: say it by guestconv_add_drive_format if you do not trust the guest. */
int guestconv_add_drive (guestconv_h *h, const char *path, const char *name);

/* Adds a disk whose format is "raw", "qcow2", "vmdk", "vhd", "vhdx", "vdi" or "auto"; NULL is "auto". All but raw and qcow2 are only
 * read, and so is a disk on a server of NBD, whose path is its address: nbd://HOST/EXPORT. */
int guestconv_add_drive_format (guestconv_h *h, const char *path, const char *name, const char *format);

/* Adds a network card that the target will give, in the source's order. name is the interface that it becomes in the
 * guest, NULL: by order. */
int guestconv_add_nic (guestconv_h *h, const char *name, const char *mac);

/* Allows images to name other files, which are then opened (0: no, as at first): only for images that you trust. */
int guestconv_set_allow_backing (guestconv_h *h, int allowed);

/* Says where the appliance is. NULL, as at first: where the environment variable GUESTCONV_APPLIANCE says, or
 * ../libexec/guestconv seen from this library, or from the program. */
int guestconv_set_appliance (guestconv_h *h, const char *directory);

/* Says where overlays are while a conversion runs. NULL, as at first: beside each disk. */
int guestconv_set_overlay_dir (guestconv_h *h, const char *directory);

/* Says where the GRUB 2 is that a disk without boot loader is given: what has its i386-pc and x86_64-efi, as /usr/lib/grub has
 * them. NULL, as at first: where the packages of this host put them. */
int guestconv_set_grub_dir (guestconv_h *h, const char *directory);

/* Gives a key for encrypted devices, before the first look at the guest: "SELECTOR:key:PASSPHRASE" or "SELECTOR:file:FILE". The
 * selector is a device as the documents name it ("/dev/sda2", "/dev/VG/LV"), its UUID, or "all". */
int guestconv_add_key (guestconv_h *h, const char *key);

/* Says how initramfs images get drivers that they lack: "append", a segment is appended and nothing of the guest is run; or
 * "guest", its own tool is run, inside the appliance. NULL, as at first: "append". */
int guestconv_set_rebuild (guestconv_h *h, const char *how);

/* Says whether guestconv_convert keeps the originals of what it changes (1, as at first), in an undo file beside each disk that
 * changes, or in the overlay directory for a block device. Without them (0) there is no way back. */
int guestconv_set_keep_undo (guestconv_h *h, int kept);

/* Says whether the record of a conversion has the hashes of whole disks, before and after (0: no, as at first): it takes as long
 * as reading them twice. */
int guestconv_set_hash_disks (guestconv_h *h, int hashed);

/* Says how long one run of the appliance may take. 0, as at first: 300 seconds. */
int guestconv_set_time_limit (guestconv_h *h, unsigned int seconds);

/* Says whether what meets the guest must be confined completely (0: no, as at first: as far as this host can, and a finding tells
 * what it cannot). Where that is required (1) and cannot be, opening the guest fails before anything is run. */
int guestconv_set_require_confinement (guestconv_h *h, int required);

/* Says who is told of progress, at any time; NULL: nobody. */
int guestconv_set_progress_callback (guestconv_h *h, guestconv_progress_callback callback, void *opaque);

/* Says who is given the lines of the log, at any time; NULL: nobody. */
int guestconv_set_log_callback (guestconv_h *h, guestconv_log_callback callback, void *opaque);

/* Returns the targets that are known, as JSON: a list with all that is known of each. No guest is needed. */
char *guestconv_targets (guestconv_h *h);

/* Returns the description of the guest for a target, as XML: its systems, and its devices with the drivers on offer. The
 * first call looks at the disks, later ones, also for other targets, remember; the first that plans looks into the initramfs
 * images too. The calls below are for the target of the last that did not fail. */
char *guestconv_inspect (guestconv_h *h, const char *target);

/* Returns what guestconv_convert would do, as JSON: "steps" is empty if nothing. */
char *guestconv_plan (guestconv_h *h, const char *xml);

/* Returns the same for people: each change with its reason, texts as diffs, the hardware, and what they should know. */
char *guestconv_plan_text (guestconv_h *h, const char *xml);

/* Returns what the target must give the guest when it is converted: format is "libvirt", a domain for virsh define;
 * "qemu", a command for a shell; or "json". The first two have the guest's disks in it, two processors and 2 GiB. */
char *guestconv_hardware (guestconv_h *h, const char *xml, const char *format);

/* Converts the guest in place. If it fails, the disks are as they were, unless the kind is "commit": then the next handle
 * that opens the same disks finishes it. A disk that keeps the undo file of an earlier conversion is refused: undo that, or
 * discard its undo file. */
int guestconv_convert (guestconv_h *h, const char *xml);

/* Converts the guest as a plan says that was kept: what guestconv_plan returned, or guestconv plan --json wrote. It has the target,
 * the drivers and the cards with which it was made; those of the handle do not count. A guest that needs anything else than the
 * plan, as one that was changed since, is refused ("plan-outdated"). */
int guestconv_convert_plan (guestconv_h *h, const char *plan);

/* Returns the record of the last conversion, as JSON, to be kept and signed: versions, the plan's hash, the disks, and the hashes
 * of every file that was changed, before and after. It is an error if that failed, or none was called. */
char *guestconv_last_record (guestconv_h *h);

/* Opens the drives, which finishes or clears away what a conversion left that was killed, as every first call does, and returns
 * what that was, as JSON: "finished" is "conversion" or "undo", or null; "removed" are files. No target is needed. */
char *guestconv_recover (guestconv_h *h);

/* Returns what the last guestconv_convert did, as JSON: the steps of its plan, and the files that each wrote. It is an
 * error if that failed, or none was called. */
char *guestconv_last_outcome (guestconv_h *h);

/* Puts back what the last conversion of the drives changed, by whichever handle or program it was done: they are bit for bit
 * what they were before it, sizes included, and the undo files are gone. No target is needed; drives and overlay
 * directory are those of the conversion. It is an error if there is no undo file ("undo-missing"), if the conversion changed
 * a disk that is not among the drives ("undo-incomplete"), or if a disk was written since ("undo-disk-changed"), as by a guest
 * that ran on it: nothing was changed then. Any other force than 0 puts the originals back even so, which leaves a mixture that no
 * guest wrote, unless only the time or place of a disk has changed. If the kind is "commit", it was interrupted, and the next
 * handle that opens the same disks finishes it. guestconv_cancel does not stop it. */
int guestconv_undo (guestconv_h *h, int force);

/* Removes the undo files of the drives: there is no way back then. It is an error if there are none. */
int guestconv_discard_undo (guestconv_h *h);

/* Returns the undo files of the drives, as JSON: a list of paths, empty if there are none. No target is needed. */
char *guestconv_undo_files (guestconv_h *h);

/* Returns what a conversion would still do, by a fresh look at the disks, as JSON: "missing" is empty if nothing. */
char *guestconv_verify (guestconv_h *h, const char *xml);

/* Boots the guest under QEMU, on a throw-away overlay, with the hardware of its plan, and returns what it did, as JSON: a
 * guest that does not come up is no error, but "passed" is false. seconds is the time that it may take, 0: 300. Serial
 * log and screenshot are left in the directory evidence, NULL: nowhere. */
char *guestconv_prove (guestconv_h *h, const char *xml, unsigned int seconds, const char *evidence);

/* Stops the call that runs on the handle, from another thread or a signal handler: it fails within a tenth of a second
 * with the code "cancelled" and leaves the disks as they were, but for a commit that has begun, which is finished. So do
 * all later calls that look at the guest. */
void guestconv_cancel (guestconv_h *h);

/* Returns the message of the last call on the handle; NULL if it did not fail. */
const char *guestconv_last_error (const guestconv_h *h);

/* Returns the stable code of the last call on the handle; NULL if it did not fail. */
const char *guestconv_last_error_code (const guestconv_h *h);

/* Returns what sort of error that of the last call on the handle is, to branch on: "invalid-argument", "disk", "guest",
 * "changed", "appliance", "io", "verify", "commit", "cancelled" or "bug"; NULL if it did not fail. */
const char *guestconv_last_error_kind (const guestconv_h *h);

/* Frees a string; NULL is allowed. */
void guestconv_free (char *string);

/* Returns the version of the library. */
const char *guestconv_version (void);

#ifdef __cplusplus
}
#endif

#endif
