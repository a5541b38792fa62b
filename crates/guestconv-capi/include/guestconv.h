/* libguestconv: make a guest boot on another hypervisor.
 *
 * A handle is used by one thread at a time. Calls return 0 or a string, and -1 or NULL if they fail: then
 * guestconv_last_error and guestconv_last_error_code tell why, until the next call on the handle. Text is UTF-8.
 * Strings that the library returns are freed with guestconv_free, except those of guestconv_last_error,
 * guestconv_last_error_code and guestconv_version. The codes are listed in docs/errors.md.
 */
#ifndef GUESTCONV_H
#define GUESTCONV_H

#ifdef __cplusplus
extern "C" {
#endif

/* A guest. */
typedef struct guestconv_h guestconv_h;

/* Returns a new handle. */
guestconv_h *guestconv_create (void);

/* Gives up a handle; NULL is allowed. */
void guestconv_close (guestconv_h *h);

/* Adds a disk of the guest. name is its short name in the documents, NULL: sda, sdb … by order. The format is told by
 * the first bytes, and a backing file is never followed. */
int guestconv_add_drive (guestconv_h *h, const char *path, const char *name);

/* Adds a disk whose format is "raw", "qcow2" or "auto". */
int guestconv_add_drive_format (guestconv_h *h, const char *path, const char *name, const char *format);

/* Adds a network card that the target will give, in the source's order. name is the interface that it becomes in the
 * guest, NULL: by order. */
int guestconv_add_nic (guestconv_h *h, const char *name, const char *mac);

/* Returns the description of the guest for a target, as XML: its systems, and its devices with the drivers on offer. */
char *guestconv_inspect (guestconv_h *h, const char *target);

/* Returns what guestconv_convert would do with a document, as JSON. NULL accepts all defaults. */
char *guestconv_plan (guestconv_h *h, const char *xml);

/* Converts the guest in place for the target that was inspected for. xml is what guestconv_inspect returned, edited or
 * not; NULL accepts all defaults. If it fails, the disks are as they were, unless the code begins with "commit-". */
int guestconv_convert (guestconv_h *h, const char *xml);

/* Returns what a conversion with the defaults would still do, as JSON: "missing" is empty if nothing. */
char *guestconv_verify (guestconv_h *h);

/* Returns the message of the last call on the handle; NULL if it did not fail. */
const char *guestconv_last_error (const guestconv_h *h);

/* Returns the stable code of the last call on the handle; NULL if it did not fail. */
const char *guestconv_last_error_code (const guestconv_h *h);

/* Frees a string; NULL is allowed. */
void guestconv_free (char *string);

/* Returns the version of the library. */
const char *guestconv_version (void);

#ifdef __cplusplus
}
#endif

#endif
