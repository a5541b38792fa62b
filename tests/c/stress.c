/* Many guests at the same time, each by a handle and a thread of its own: looked at, planned, converted, verified. What
 * the library says goes into files, so that it can be compared with what it says to one thread alone.
 *
 *   stress alone|together none|DIRECTORY (DIRECTORY TARGET)...
 *
 * A directory has a guest's disk, test.qcow2, and gets the documents. The guest that is named first is cancelled by
 * another thread while its conversion is at work. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <guestconv.h>

enum { GUESTS_AT_MOST = 64 };

struct guest {
  const char *directory;
  const char *target;
  int is_cancelled;
  guestconv_h *h;
  sem_t at_work;
};

/* Ends the program with what the library says, unless the condition holds. */
static void
check (const struct guest *guest, int condition, const char *what)
{
  if (!condition) {
    const char *message = guestconv_last_error (guest->h), *code = guestconv_last_error_code (guest->h);

    fprintf (stderr, "%s: %s: %s (%s)\n", guest->directory, what, message ? message : "no error", code ? code : "");
    exit (1);
  }
}

/* Writes a document, which must be there, into the guest's directory and frees it. */
static void
keep (const struct guest *guest, const char *name, char *document)
{
  char path[4096];
  FILE *file;

  check (guest, document != NULL, name);
  snprintf (path, sizeof path, "%s/%s", guest->directory, name);
  file = fopen (path, "w");
  check (guest, file != NULL && fputs (document, file) >= 0 && fclose (file) == 0, path);
  guestconv_free (document);
}

/* Lets the other thread go on when changes are applied. */
static void
told (void *opaque, const char *stage, uint64_t done, uint64_t total)
{
  struct guest *guest = opaque;

  (void) total;
  if (done == 0 && strcmp (stage, "apply") == 0)
    sem_post (&guest->at_work);
}

static void *
cancel (void *opaque)
{
  struct guest *guest = opaque;

  while (sem_wait (&guest->at_work) != 0)
    ;
  guestconv_cancel (guest->h);
  return NULL;
}

static void
cancelled (struct guest *guest, const char *xml)
{
  pthread_t thread;

  check (guest, sem_init (&guest->at_work, 0, 0) == 0, "sem_init");
  check (guest, guestconv_set_progress_callback (guest->h, told, guest) == 0, "set_progress_callback");
  check (guest, pthread_create (&thread, NULL, cancel, guest) == 0, "pthread_create");
  check (guest, guestconv_convert (guest->h, xml) == -1, "convert, cancelled");
  check (guest, strcmp (guestconv_last_error_kind (guest->h), "cancelled") == 0, "the kind is cancelled");
  check (guest, pthread_join (thread, NULL) == 0, "pthread_join");
  check (guest, guestconv_last_outcome (guest->h) == NULL, "there is no outcome");
  sem_destroy (&guest->at_work);
}

static void *
work (void *opaque)
{
  struct guest *guest = opaque;
  char path[4096], *xml;

  snprintf (path, sizeof path, "%s/test.qcow2", guest->directory);
  guest->h = guestconv_create ();
  check (guest, guestconv_add_drive_format (guest->h, path, NULL, "qcow2") == 0, "add_drive_format");
  check (guest, guestconv_set_allow_backing (guest->h, 1) == 0, "set_allow_backing");
  keep (guest, "targets", guestconv_targets (guest->h));
  xml = guestconv_inspect (guest->h, guest->target);
  check (guest, xml != NULL, "inspect");
  keep (guest, "description", guestconv_inspect (guest->h, guest->target));
  keep (guest, "plan", guestconv_plan (guest->h, xml));
  keep (guest, "plan-text", guestconv_plan_text (guest->h, xml));
  keep (guest, "hardware", guestconv_hardware (guest->h, xml, "json"));
  if (guest->is_cancelled)
    cancelled (guest, xml);
  else {
    check (guest, guestconv_convert (guest->h, xml) == 0, "convert");
    keep (guest, "outcome", guestconv_last_outcome (guest->h));
    keep (guest, "report", guestconv_verify (guest->h, xml));
  }
  guestconv_free (xml);
  guestconv_close (guest->h);
  return NULL;
}

int
main (int argc, char **argv)
{
  static struct guest guests[GUESTS_AT_MOST];
  static pthread_t threads[GUESTS_AT_MOST];
  int count = (argc - 3) / 2, i;

  if (argc < 5 || count > GUESTS_AT_MOST)
    return 2;
  for (i = 0; i < count; i++) {
    guests[i].directory = argv[3 + 2 * i];
    guests[i].target = argv[4 + 2 * i];
    guests[i].is_cancelled = strcmp (guests[i].directory, argv[2]) == 0;
    if (pthread_create (&threads[i], NULL, work, &guests[i]) != 0)
      abort ();
    if (strcmp (argv[1], "alone") == 0 && pthread_join (threads[i], NULL) != 0)
      abort ();
  }
  for (i = 0; i < count; i++)
    if (strcmp (argv[1], "alone") != 0 && pthread_join (threads[i], NULL) != 0)
      abort ();
  printf ("Success\n");
  return 0;
}
