/* gray.c: color to gray and back. */
#include "photo.h"

void make_gray(image *of) {
    if (of->channels == 1) return;
    size_t count = (size_t)of->width * (size_t)of->height;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *rgb = of->pixels + 3 * i; /* ITU-R BT.601, in 16 bits behind the point, as Pillow has it */
        of->pixels[i] = (uint8_t)((rgb[0] * 19595u + rgb[1] * 38470u + rgb[2] * 7471u + 32768u) >> 16);
    }
    of->channels = 1;
}

void make_color(image *of) {
    if (of->channels == 3) return;
    size_t count = (size_t)of->width * (size_t)of->height;
    image color = {of->width, of->height, 3, allocate(3 * (uint64_t)count)};
    for (size_t i = 0; i < 3 * count; i++) color.pixels[i] = of->pixels[i / 3];
    free_image(of);
    *of = color;
}
