/* Converts test.img for rhev-3.1 with the defaults.
 * cc -o example example.c $(pkg-config --cflags --libs guestconv) */
#include <stdio.h>

#include <guestconv.h>

int
main (void)
{
  char *description = NULL;
  guestconv_h *h = guestconv_create ();

  if (guestconv_add_drive (h, "test.img", "sda") == -1)
    goto error;
  description = guestconv_inspect (h, "rhev-3.1");
  if (description == NULL)
    goto error;
  if (guestconv_convert (h, description) == -1)
    goto error;
  printf ("Success\n");
  guestconv_free (description);
  guestconv_close (h);
  return 0;

 error:
  fprintf (stderr, "%s\n", guestconv_last_error (h));
  guestconv_free (description);
  guestconv_close (h);
  return 1;
}
