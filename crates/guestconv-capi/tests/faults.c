/* What a C program may do wrong is an error with a code, and never a crash. Run where a file "disk" is that holds nothing,
 * an image "layered" that names a file which is not there, a directory "empty", and an appliance "hangs" that does. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <guestconv.h>

#define CHECK(condition)                                                  \
  do {                                                                    \
    if (!(condition)) {                                                   \
      fprintf (stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);    \
      exit (1);                                                           \
    }                                                                     \
  } while (0)

/* Checks that the last call on the handle failed with a code, or did not fail (NULL). */
static void
last_is (const guestconv_h *h, const char *code, int line)
{
  const char *is = guestconv_last_error_code (h);
  const char *message = guestconv_last_error (h);

  if ((is == NULL) != (message == NULL) || (is == NULL) != (guestconv_last_error_kind (h) == NULL)
      || (is == NULL) != (code == NULL)
      || (code != NULL && (strcmp (is, code) != 0 || message[0] == '\0'))) {
    fprintf (stderr, "%s:%d: expected %s, got %s: %s\n", __FILE__, line,
             code ? code : "no error", is ? is : "no error", message ? message : "");
    exit (1);
  }
}

/* A call that returns 0 or -1, and one that returns a string. */
#define FAILS(call, code) do { CHECK ((call) == -1); last_is (h, code, __LINE__); } while (0)
#define FAILS_STRING(call, code) do { CHECK ((call) == NULL); last_is (h, code, __LINE__); } while (0)
#define DONE(call) do { CHECK ((call) == 0); last_is (h, NULL, __LINE__); } while (0)

static void
without_a_handle (void)
{
  guestconv_h *h = NULL;

  FAILS (guestconv_add_drive (h, "disk", "sda"), "argument-needed");
  FAILS (guestconv_add_drive_format (h, "disk", "sda", "raw"), "argument-needed");
  FAILS (guestconv_add_nic (h, NULL, "52:54:00:12:34:56"), "argument-needed");
  FAILS (guestconv_set_allow_backing (h, 1), "argument-needed");
  FAILS (guestconv_set_appliance (h, "empty"), "argument-needed");
  FAILS (guestconv_set_overlay_dir (h, "empty"), "argument-needed");
  FAILS (guestconv_set_grub_dir (h, "empty"), "argument-needed");
  FAILS (guestconv_add_key (h, "all:key:x"), "argument-needed");
  FAILS (guestconv_set_rebuild (h, "guest"), "argument-needed");
  FAILS (guestconv_set_keep_undo (h, 0), "argument-needed");
  FAILS (guestconv_set_hash_disks (h, 1), "argument-needed");
  FAILS (guestconv_set_time_limit (h, 1), "argument-needed");
  FAILS (guestconv_set_require_confinement (h, 1), "argument-needed");
  FAILS (guestconv_set_progress_callback (h, NULL, NULL), "argument-needed");
  FAILS (guestconv_set_log_callback (h, NULL, NULL), "argument-needed");
  FAILS_STRING (guestconv_targets (h), "argument-needed");
  FAILS_STRING (guestconv_inspect (h, "kvm"), "argument-needed");
  FAILS_STRING (guestconv_plan (h, NULL), "argument-needed");
  FAILS_STRING (guestconv_plan_text (h, NULL), "argument-needed");
  FAILS_STRING (guestconv_hardware (h, NULL, "qemu"), "argument-needed");
  FAILS_STRING (guestconv_last_outcome (h), "argument-needed");
  FAILS_STRING (guestconv_last_record (h), "argument-needed");
  FAILS_STRING (guestconv_recover (h), "argument-needed");
  FAILS (guestconv_convert (h, NULL), "argument-needed");
  FAILS (guestconv_convert_plan (h, "{}"), "argument-needed");
  FAILS (guestconv_undo (h, 0), "argument-needed");
  FAILS (guestconv_discard_undo (h), "argument-needed");
  FAILS_STRING (guestconv_undo_files (h), "argument-needed");
  FAILS_STRING (guestconv_verify (h, NULL), "argument-needed");
  FAILS_STRING (guestconv_prove (h, NULL, 0, NULL), "argument-needed");
  CHECK (strcmp (guestconv_last_error (h), "the handle is NULL") == 0);
  CHECK (strcmp (guestconv_last_error_kind (h), "invalid-argument") == 0);
  guestconv_cancel (h);
  guestconv_close (h);
  guestconv_free (NULL);
}

static void
wrong_arguments (void)
{
  guestconv_h *h = guestconv_create ();

  last_is (h, NULL, __LINE__);
  FAILS (guestconv_add_drive (h, NULL, "sda"), "argument-needed");
  FAILS (guestconv_add_drive (h, "disk", "\xff"), "not-utf-8");
  FAILS (guestconv_add_drive_format (h, "disk", NULL, "qed"), "format-unknown");
  FAILS (guestconv_add_nic (h, "eth0", NULL), "argument-needed");
  FAILS (guestconv_add_nic (h, "eth0", "52:54:00"), "nic-invalid");
  FAILS (guestconv_set_rebuild (h, "anew"), "rebuild-unknown");
  FAILS (guestconv_set_rebuild (h, "\xff"), "not-utf-8");
  FAILS_STRING (guestconv_inspect (h, NULL), "argument-needed");
  FAILS_STRING (guestconv_hardware (h, NULL, NULL), "argument-needed");
  FAILS_STRING (guestconv_hardware (h, NULL, "xml"), "format-unknown");
  FAILS_STRING (guestconv_inspect (h, "kvm"), "disk-count");
  FAILS (guestconv_undo (h, 0), "disk-count");
  FAILS (guestconv_discard_undo (h), "disk-count");
  FAILS_STRING (guestconv_undo_files (h), "disk-count");
  FAILS_STRING (guestconv_recover (h), "disk-count");
  FAILS (guestconv_convert_plan (h, NULL), "argument-needed");
  FAILS (guestconv_convert_plan (h, "{}"), "plan-invalid");
  DONE (guestconv_add_drive_format (h, "disk", "../x", NULL));
  FAILS_STRING (guestconv_inspect (h, "kvm"), "disk-name-invalid");
  guestconv_close (h);
}

static void
wrong_order (void)
{
  guestconv_h *h = guestconv_create ();

  DONE (guestconv_add_drive_format (h, "disk", NULL, "raw"));
  DONE (guestconv_add_nic (h, NULL, "52:54:00:12:34:56"));
  FAILS_STRING (guestconv_plan (h, NULL), "target-needed");
  FAILS_STRING (guestconv_plan_text (h, NULL), "target-needed");
  FAILS_STRING (guestconv_hardware (h, NULL, "qemu"), "target-needed");
  FAILS_STRING (guestconv_last_outcome (h), "conversion-needed");
  FAILS_STRING (guestconv_last_record (h), "conversion-needed");
  FAILS (guestconv_convert (h, NULL), "target-needed");
  FAILS_STRING (guestconv_last_outcome (h), "conversion-needed");
  FAILS_STRING (guestconv_verify (h, NULL), "target-needed");
  FAILS_STRING (guestconv_prove (h, NULL, 0, NULL), "target-needed");
  /* A target that does not exist, or an inspection that fails, leaves no target behind. */
  FAILS_STRING (guestconv_inspect (h, "nowhere"), "target-unknown");
  FAILS_STRING (guestconv_plan (h, NULL), "target-needed");
  DONE (guestconv_set_appliance (h, "empty"));
  FAILS_STRING (guestconv_inspect (h, "kvm"), "appliance-not-found");
  FAILS (guestconv_convert (h, NULL), "target-needed");
  /* The guest was not opened, so all may still be said. */
  DONE (guestconv_set_appliance (h, NULL));
  DONE (guestconv_set_overlay_dir (h, "empty"));
  DONE (guestconv_set_grub_dir (h, "empty"));
  FAILS (guestconv_add_key (h, "all"), "key-invalid");
  FAILS (guestconv_add_key (h, NULL), "key-invalid");
  DONE (guestconv_set_rebuild (h, "guest"));
  DONE (guestconv_set_rebuild (h, NULL));
  DONE (guestconv_set_keep_undo (h, 0));
  DONE (guestconv_set_hash_disks (h, 1));
  DONE (guestconv_set_time_limit (h, 0));
  DONE (guestconv_set_require_confinement (h, 0));
  DONE (guestconv_set_allow_backing (h, 1));
  DONE (guestconv_set_progress_callback (h, NULL, NULL));
  DONE (guestconv_set_log_callback (h, NULL, NULL));
  guestconv_cancel (h);
  guestconv_close (h);
}

/* The targets need neither disk nor order. */
static void
targets (void)
{
  guestconv_h *h = guestconv_create ();
  char *json;

  CHECK ((json = guestconv_targets (h)) != NULL);
  last_is (h, NULL, __LINE__);
  CHECK (strstr (json, "\"id\": \"rhev-3.1\"") != NULL);
  guestconv_free (json);
  guestconv_close (h);
}

/* What undoes a conversion needs no target; it opens the guest, for which options then come too late. */
static void
nothing_to_undo (void)
{
  guestconv_h *h = guestconv_create ();
  char *json;

  DONE (guestconv_add_drive_format (h, "disk", NULL, "raw"));
  DONE (guestconv_set_appliance (h, "hangs"));
  CHECK ((json = guestconv_undo_files (h)) != NULL);
  last_is (h, NULL, __LINE__);
  CHECK (strcmp (json, "[]") == 0);
  guestconv_free (json);
  FAILS (guestconv_undo (h, 0), "undo-missing");
  FAILS (guestconv_undo (h, 1), "undo-missing");
  CHECK (strcmp (guestconv_last_error_kind (h), "disk") == 0);
  FAILS (guestconv_discard_undo (h), "undo-missing");
  FAILS (guestconv_set_rebuild (h, NULL), "guest-opened");
  FAILS (guestconv_set_keep_undo (h, 1), "guest-opened");
  guestconv_close (h);
}

static void
options (void)
{
  guestconv_h *h = guestconv_create ();

  DONE (guestconv_add_drive_format (h, "disk", NULL, "raw"));
  DONE (guestconv_set_appliance (h, "hangs"));
  DONE (guestconv_set_time_limit (h, 1));
  FAILS_STRING (guestconv_inspect (h, "kvm"), "appliance-timeout");
  CHECK (strcmp (guestconv_last_error_kind (h), "appliance") == 0);
  guestconv_close (h);

  h = guestconv_create ();
  DONE (guestconv_add_drive_format (h, "layered", NULL, "qcow2"));
  FAILS_STRING (guestconv_inspect (h, "kvm"), "backing-file-not-allowed");
  DONE (guestconv_set_allow_backing (h, 1));
  FAILS_STRING (guestconv_inspect (h, "kvm"), "backing-file-not-opened");
  DONE (guestconv_set_allow_backing (h, 0));
  FAILS_STRING (guestconv_inspect (h, "kvm"), "backing-file-not-allowed");
  guestconv_close (h);
}

/* Cancels the handle when the call on it has been at work for a while. */
static void *
cancel_later (void *h)
{
  const struct timespec while_ = { 0, 500 * 1000 * 1000 };

  nanosleep (&while_, NULL);
  guestconv_cancel (h);
  return NULL;
}

static void
cancel (void)
{
  guestconv_h *h = guestconv_create ();
  pthread_t thread;
  time_t begun = time (NULL);

  DONE (guestconv_add_drive_format (h, "disk", NULL, "raw"));
  DONE (guestconv_set_appliance (h, "hangs"));
  DONE (guestconv_set_time_limit (h, 60));
  CHECK (pthread_create (&thread, NULL, cancel_later, h) == 0);
  FAILS_STRING (guestconv_inspect (h, "kvm"), "cancelled");
  CHECK (strcmp (guestconv_last_error_kind (h), "cancelled") == 0);
  CHECK (time (NULL) - begun < 30);
  CHECK (pthread_join (thread, NULL) == 0);
  FAILS_STRING (guestconv_inspect (h, "kvm"), "cancelled");
  guestconv_close (h);
}

int
main (void)
{
  CHECK (guestconv_version ()[0] != '\0');
  without_a_handle ();
  wrong_arguments ();
  wrong_order ();
  targets ();
  nothing_to_undo ();
  options ();
  cancel ();
  printf ("Success\n");
  return 0;
}
