/* Everything that libguestconv does, on the guest in test.img, which has an interface ens192. The directory "overlays" is
 * there. "whole": the guest is converted, and that is undone. "without-undo": it is converted for good. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <guestconv.h>

#define CHECK(h, condition)                                                             \
  do {                                                                                  \
    if (!(condition)) {                                                                 \
      const char *message = guestconv_last_error (h);                                   \
      fprintf (stderr, "%s:%d: %s (%s)\n", __FILE__, __LINE__, #condition,              \
               message ? message : "no error");                                         \
      exit (1);                                                                         \
    }                                                                                   \
  } while (0)

#define CODE_IS(h, code) CHECK (h, strcmp (guestconv_last_error_code (h), code) == 0)

/* What a callback is given, and what it saw. */
struct told {
  guestconv_h *h;
  const char *begun;            /* the stages, in their order */
  const char *ended;
  unsigned lines;
};

static void *
cancel (void *h)
{
  guestconv_cancel (h);
  return NULL;
}

/* Cancels the work of a stage from another thread as soon as it begins. */
static void
cancel_inspect (void *opaque, const char *stage, uint64_t done, uint64_t total)
{
  pthread_t thread;

  (void) done;
  (void) total;
  if (strcmp (stage, "inspect") == 0
      && (pthread_create (&thread, NULL, cancel, opaque) != 0 || pthread_join (thread, NULL) != 0))
    abort ();
}

static void
close_handle (void *opaque, const char *stage, uint64_t done, uint64_t total)
{
  (void) stage;
  (void) total;
  if (done == 0)
    guestconv_close (opaque);
}

/* Notes stages, each of which is expected by its first letter; the handle is in use meanwhile. */
static void
note (void *opaque, const char *stage, uint64_t done, uint64_t total)
{
  struct told *told = opaque;

  if (guestconv_plan (told->h, NULL) != NULL
      || strcmp (guestconv_last_error_code (told->h), "handle-in-use") != 0)
    abort ();
  if (done == 0 && total == 0 && *told->begun == *stage)
    told->begun++;
  if (done != 0 && done == total && *told->ended == *stage)
    told->ended++;
}

/* Cancels the work at the first line of the log. */
static void
cancel_at_line (void *opaque, const char *line)
{
  struct told *told = opaque;

  if (line[0] != '\0')
    told->lines++;
  guestconv_cancel (told->h);
}

/* Returns a handle for the guest. */
static guestconv_h *
opened (void)
{
  guestconv_h *h = guestconv_create ();

  CHECK (h, guestconv_add_drive_format (h, "test.img", NULL, "raw") == 0);
  CHECK (h, guestconv_add_nic (h, "ens192", "52:54:00:12:34:56") == 0);
  CHECK (h, guestconv_set_overlay_dir (h, "overlays") == 0);
  CHECK (h, guestconv_set_time_limit (h, 60) == 0);
  CHECK (h, guestconv_set_require_confinement (h, 0) == 0);
  return h;
}

static void
cancelled (void)
{
  guestconv_h *h = opened ();

  CHECK (h, guestconv_set_progress_callback (h, cancel_inspect, h) == 0);
  CHECK (h, guestconv_inspect (h, "kvm") == NULL);
  CODE_IS (h, "cancelled");
  CHECK (h, guestconv_set_progress_callback (h, NULL, NULL) == 0);
  CHECK (h, guestconv_inspect (h, "kvm") == NULL);
  CODE_IS (h, "cancelled");
  guestconv_close (h);
}

static void
closed_by_a_callback (void)
{
  guestconv_h *h = opened ();
  char *xml;

  CHECK (h, guestconv_set_progress_callback (h, close_handle, h) == 0);
  xml = guestconv_inspect (h, "kvm");
  if (xml == NULL)
    abort ();
  guestconv_free (xml);
}

static void
no_place_for_overlays (void)
{
  guestconv_h *h = guestconv_create ();
  char *xml;

  CHECK (h, guestconv_add_drive_format (h, "test.img", NULL, "raw") == 0);
  CHECK (h, guestconv_set_overlay_dir (h, "nowhere") == 0);
  CHECK (h, (xml = guestconv_inspect (h, "kvm")) != NULL);
  CHECK (h, guestconv_convert (h, xml) == -1);
  CODE_IS (h, "overlay-failed");
  guestconv_free (xml);
  guestconv_close (h);
}

static void *
described (void *xml)
{
  guestconv_h *h = opened ();

  CHECK (h, (*(char **) xml = guestconv_inspect (h, "kvm")) != NULL);
  guestconv_close (h);
  return NULL;
}

/* Different handles are used by different threads at the same time, here for one disk. */
static void
at_the_same_time (void)
{
  enum { THREADS = 8 };
  pthread_t threads[THREADS];
  char *xml[THREADS];
  int i;

  for (i = 0; i < THREADS; i++)
    if (pthread_create (&threads[i], NULL, described, &xml[i]) != 0)
      abort ();
  for (i = 0; i < THREADS; i++)
    if (pthread_join (threads[i], NULL) != 0)
      abort ();
  for (i = 1; i < THREADS; i++) {
    if (strcmp (xml[i], xml[0]) != 0)
      abort ();
    guestconv_free (xml[i]);
  }
  guestconv_free (xml[0]);
}

/* Returns the description with another card for the network. */
static char *
edited (guestconv_h *h, const char *xml)
{
  static const char was[] = "driver='virtio-net-pci'", is[] = "driver='e1000'";
  const char *at = strstr (xml, was);
  char *copy = malloc (strlen (xml) + 1);

  CHECK (h, at != NULL && copy != NULL);
  sprintf (copy, "%.*s%s%s", (int) (at - xml), xml, is, at + strlen (was));
  return copy;
}

static void
converted (void)
{
  guestconv_h *h = opened ();
  struct told told = { h, "iavc", "iavc", 0 };
  char *xml, *document, *json, *text;

  CHECK (h, guestconv_set_progress_callback (h, note, &told) == 0);
  CHECK (h, (xml = guestconv_inspect (h, "kvm")) != NULL);
  CHECK (h, strstr (xml, "target='kvm'") != NULL);
  guestconv_free (xml);
  CHECK (h, (xml = guestconv_inspect (h, "rhev-3.1")) != NULL);
  CHECK (h, strstr (xml, "target='rhev-3.1'") != NULL);

  /* What comes too late, and a target that does not exist, change nothing. */
  CHECK (h, guestconv_add_drive (h, "test.img", NULL) == -1);
  CODE_IS (h, "guest-opened");
  CHECK (h, guestconv_add_nic (h, NULL, "52:54:00:12:34:57") == -1);
  CODE_IS (h, "guest-opened");
  CHECK (h, guestconv_set_overlay_dir (h, NULL) == -1);
  CODE_IS (h, "guest-opened");
  CHECK (h, guestconv_inspect (h, "nowhere") == NULL);
  CODE_IS (h, "target-unknown");

  document = edited (h, xml);
  CHECK (h, (json = guestconv_plan (h, document)) != NULL);
  CHECK (h, strstr (json, "\"target\": \"rhev-3.1\"") != NULL);
  CHECK (h, strstr (json, "\"driver\": \"e1000\"") != NULL);
  CHECK (h, strstr (json, "52:54:00:12:34:56") != NULL);
  guestconv_free (json);
  CHECK (h, (text = guestconv_plan_text (h, document)) != NULL);
  CHECK (h, strncmp (text, "# ", 2) == 0 && strstr (text, "52:54:00:12:34:56") != NULL);
  guestconv_free (text);
  CHECK (h, (text = guestconv_hardware (h, document, "libvirt")) != NULL);
  CHECK (h, strstr (text, "<domain type='kvm'>") != NULL && strstr (text, "<model type='e1000'/>") != NULL);
  guestconv_free (text);
  CHECK (h, (text = guestconv_hardware (h, document, "qemu")) != NULL);
  CHECK (h, strncmp (text, "qemu-system-x86_64 ", 19) == 0 && strstr (text, "e1000,") != NULL);
  guestconv_free (text);
  CHECK (h, (json = guestconv_hardware (h, document, "json")) != NULL);
  CHECK (h, strncmp (json, "{\n  \"machine\"", 13) == 0 && strstr (json, "\"driver\": \"e1000\"") != NULL);
  guestconv_free (json);
  CHECK (h, guestconv_plan (h, "<guestconv") == NULL);
  CODE_IS (h, "description-not-xml");
  CHECK (h, guestconv_hardware (h, "<guestconv", "json") == NULL);
  CODE_IS (h, "description-not-xml");
  CHECK (h, guestconv_convert (h, "<guestconv") == -1);
  CODE_IS (h, "description-not-xml");
  CHECK (h, (json = guestconv_verify (h, document)) != NULL);
  CHECK (h, strstr (json, "\"missing\": []") == NULL);
  guestconv_free (json);
  CHECK (h, guestconv_last_outcome (h) == NULL);
  CODE_IS (h, "conversion-needed");

  told.begun = told.ended = "avc";
  CHECK (h, guestconv_convert (h, document) == 0);
  CHECK (h, *told.begun == '\0' && *told.ended == '\0');
  CHECK (h, (json = guestconv_last_outcome (h)) != NULL);
  CHECK (h, strstr (json, "\"status\": \"done\"") != NULL && strstr (json, "\"error\": null") != NULL);
  guestconv_free (json);
  told.begun = told.ended = "v";
  CHECK (h, (json = guestconv_verify (h, document)) != NULL);
  CHECK (h, strstr (json, "\"missing\": []") != NULL);
  CHECK (h, *told.begun == '\0' && *told.ended == '\0');
  guestconv_free (json);

  /* A guest that does not come up in time is no error; one that is cancelled is. */
  told.begun = told.ended = "p";
  CHECK (h, (json = guestconv_prove (h, document, 1, "evidence")) != NULL);
  CHECK (h, strstr (json, "\"passed\": false") != NULL);
  CHECK (h, *told.begun == '\0' && *told.ended == '\0');
  guestconv_free (json);
  CHECK (h, guestconv_set_log_callback (h, cancel_at_line, &told) == 0);
  CHECK (h, guestconv_prove (h, document, 0, NULL) == NULL);
  CODE_IS (h, "cancelled");
  CHECK (h, told.lines > 0);

  free (document);
  guestconv_free (xml);
  guestconv_close (h);
}

/* Asserts which undo files there are, by their names' end. */
static void
undo_files_are (guestconv_h *h, const char *end)
{
  char *json = guestconv_undo_files (h);

  CHECK (h, json != NULL);
  CHECK (h, end == NULL ? strcmp (json, "[]") == 0 : strstr (json, end) != NULL);
  guestconv_free (json);
}

/* What one handle has converted, another undoes: it needs no target. The guest is then what is to be converted again. */
static void
undone (void)
{
  guestconv_h *h = opened ();
  struct told told = { h, "u", "u", 0 };
  char *xml, *json;

  undo_files_are (h, "/test.img.guestconv-undo\"\n]");
  CHECK (h, (xml = guestconv_inspect (h, "rhev-3.1")) != NULL);
  CHECK (h, (json = guestconv_verify (h, xml)) != NULL);
  CHECK (h, strstr (json, "\"missing\": []") != NULL);
  guestconv_free (json);
  guestconv_free (xml);
  CHECK (h, guestconv_set_progress_callback (h, note, &told) == 0);
  CHECK (h, guestconv_undo (h, 0) == 0);
  CHECK (h, *told.begun == '\0' && *told.ended == '\0');
  undo_files_are (h, NULL);
  CHECK (h, guestconv_undo (h, 0) == -1);
  CODE_IS (h, "undo-missing");
  CHECK (h, guestconv_discard_undo (h) == -1);
  CODE_IS (h, "undo-missing");
  CHECK (h, (json = guestconv_plan (h, NULL)) != NULL);
  CHECK (h, strstr (json, "\"steps\": []") == NULL);
  guestconv_free (json);
  guestconv_close (h);
}

/* The guest's own tool is asked for, and the appliance cannot run it yet: an error that changes nothing. */
static void
rebuilt (void)
{
  guestconv_h *h = opened ();
  char *xml, *json;

  CHECK (h, guestconv_set_rebuild (h, "guest") == 0);
  CHECK (h, (xml = guestconv_inspect (h, "rhev-3.1")) != NULL);
  CHECK (h, (json = guestconv_plan (h, xml)) != NULL);
  CHECK (h, strstr (json, "update-initramfs") != NULL);
  CHECK (h, guestconv_convert (h, xml) == -1);
  CODE_IS (h, "guest-program-failed");
  guestconv_free (json);
  guestconv_free (xml);
  guestconv_close (h);
}

/* There is no way back from a conversion that was told to keep nothing. */
static void
without_undo (void)
{
  guestconv_h *h = guestconv_create ();
  char *xml, *json;

  CHECK (h, guestconv_add_drive_format (h, "test.img", NULL, "raw") == 0);
  CHECK (h, guestconv_set_keep_undo (h, 0) == 0);
  CHECK (h, (xml = guestconv_inspect (h, "rhev-3.1")) != NULL);
  CHECK (h, guestconv_set_keep_undo (h, 1) == -1);
  CODE_IS (h, "guest-opened");
  CHECK (h, guestconv_convert (h, xml) == 0);
  undo_files_are (h, NULL);
  CHECK (h, guestconv_undo (h, 1) == -1);
  CODE_IS (h, "undo-missing");
  CHECK (h, (json = guestconv_verify (h, xml)) != NULL);
  CHECK (h, strstr (json, "\"missing\": []") != NULL);
  guestconv_free (json);
  guestconv_free (xml);
  guestconv_close (h);
}

int
main (int argc, char **argv)
{
  if (argc != 2)
    return 2;
  if (strcmp (argv[1], "whole") == 0) {
    cancelled ();
    closed_by_a_callback ();
    no_place_for_overlays ();
    at_the_same_time ();
    converted ();
    undone ();
    rebuilt ();
  } else
    without_undo ();
  printf ("Success\n");
  return 0;
}
