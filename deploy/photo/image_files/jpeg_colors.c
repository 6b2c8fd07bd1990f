/* jpeg_colors.c: the planes of a JPEG file as pixels. Colors that are stored for two pixels lie between them, so a pixel's
 * color is three quarters of the nearer one and one quarter of the other; roundings alternate. All of it is in the integers
 * of libjpeg-turbo, so that the bytes are those of Pillow.
 */
#include <stdlib.h>
#include <string.h>

#include "photo.h"

static int clamped(int value, int below) { return value < 0 ? 0 : value >= below ? below - 1 : value; }

/* A row of values, of `count`, at twice the width: the sums of `parts` (1 or 4 of a value), rounded. */
static void twice_as_wide(const int *from, int count, int parts, uint8_t *to) {
    const int shift = parts == 4 ? 4 : 2, left = parts == 4 ? 8 : 1, right = parts == 4 ? 7 : 2;
    for (int i = 0; i < count; i++) {
        to[2 * i] = (uint8_t)((3 * from[i] + from[clamped(i - 1, count)] + left) >> shift);
        to[2 * i + 1] = (uint8_t)((3 * from[i] + from[clamped(i + 1, count)] + right) >> shift);
    }
}

/* Row `y` of the image, of one plane, into `to`, which has room for the whole width and more. */
static void upsampled_row(const jpeg_plane *of, int y, int width, int *sums, uint8_t *to) {
    const int across = of->most_h / of->h, down = of->most_v / of->v; /* whole numbers: stb_image refuses others */
    const int near = clamped(y / down, of->height), other = clamped(y % 2 ? near + 1 : near - 1, of->height);
    const uint8_t *row = of->samples + (size_t)near * (size_t)of->stride;
    const uint8_t *beside = of->samples + (size_t)other * (size_t)of->stride;
    if (across == 2 && down <= 2 && of->width > 2) {
        for (int x = 0; x < of->width; x++) sums[x] = down == 2 ? 3 * row[x] + beside[x] : row[x];
        twice_as_wide(sums, of->width, down == 2 ? 4 : 1, to);
    } else if (across == 1 && down == 2) {
        for (int x = 0; x < width; x++) to[x] = (uint8_t)((3 * row[x] + beside[x] + (y % 2 ? 2 : 1)) >> 2);
    } else {
        for (int x = 0; x < width; x++) to[x] = row[x / across];
    }
}

static uint8_t in_range(int value) { return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value); }

/* ITU-R BT.601 over the whole range, in 16 bits behind the point. */
static void to_rgb(int luma, int blue, int red, uint8_t *rgb) {
    blue -= 128;
    red -= 128;
    rgb[0] = in_range(luma + ((91881 * red + 32768) >> 16));
    rgb[1] = in_range(luma + ((-22554 * blue - 46802 * red + 32768) >> 16));
    rgb[2] = in_range(luma + ((116130 * blue + 32768) >> 16));
}

/* What is left of a color under black ink, both counted from black. */
static uint8_t under_ink(int color, int ink) {
    int lost = (255 - color) * ink + 128;
    return in_range(ink - (((lost >> 8) + lost) >> 8));
}

static void to_pixels(const jpeg_planes *of, uint8_t *const rows[4], uint8_t *pixels) {
    if (of->count == 1) {
        memcpy(pixels, rows[0], (size_t)of->width);
    } else if (of->count == 3 ? !of->is_rgb : of->is_ycck) {
        for (int x = 0; x < of->width; x++) to_rgb(rows[0][x], rows[1][x], rows[2][x], pixels + 3 * x);
    } else {
        for (int x = 0; x < 3 * of->width; x++) pixels[x] = rows[x % 3][x / 3];
    }
    for (int x = 0; of->count == 4 && x < 3 * of->width; x++)
        pixels[x] = under_ink(of->is_ycck ? 255 - pixels[x] : pixels[x], rows[3][x / 3]);
}

image jpeg_pixels(const jpeg_planes *of) {
    image made = {of->width, of->height, of->count == 1 ? 1 : 3, NULL};
    const size_t bytes_of_row = (size_t)made.width * (size_t)made.channels, room = (size_t)made.width + 64;
    made.pixels = allocate(bytes_of_row * (uint64_t)made.height);
    int *sums = allocate(room * sizeof *sums);
    uint8_t *rows[4] = {NULL};
    for (int i = 0; i < of->count; i++) rows[i] = allocate(room * 2);
    for (int y = 0; y < made.height; y++) {
        for (int i = 0; i < of->count; i++) upsampled_row(&of->planes[i], y, made.width, sums, rows[i]);
        to_pixels(of, rows, made.pixels + (size_t)y * bytes_of_row);
    }
    for (int i = 0; i < of->count; i++) free(rows[i]);
    free(sums);
    return made;
}
