/* image.c: what all parts that read images need: to free one, and to say what is wrong with one. */
#include <stdarg.h>
#include <stdlib.h>

#include "photo.h"

void free_image(image *of) {
    free(of->pixels);
    of->pixels = NULL;
}

const char *image_error(const char *format, ...) {
    static char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    return text;
}
