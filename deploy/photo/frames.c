/* frames.c: raw frames, as cameras and ffmpeg -f rawvideo write them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "photo.h"

static const struct {
    const char *name;
    int bytes;
} formats[] = {[RGB24] = {"rgb24", 3}, [BGR24] = {"bgr24", 3}, [YUYV] = {"yuyv", 2}, [GRAY8] = {"gray8", 1}};

frame_format parse_frames(const char *option, const char *word) {
    frame_format of = {0};
    char name[8] = "rgb24";
    int used = 0, known = sscanf(word, "%5dx%5d%n", &of.width, &of.height, &used) == 2 && of.width > 0 && of.height > 0;
    if (known && word[used] == ':') known = snprintf(name, sizeof name, "%s", word + used + 1) < (int)sizeof name;
    else known = known && !word[used];
    while (known && of.format <= GRAY8 && strcmp(formats[of.format].name, name)) of.format++;
    if (!known || of.format > GRAY8)
        fail(USAGE, "%s takes a size and maybe a format, like 640x480:yuyv (rgb24, bgr24, yuyv, gray8), not '%s'", option, word);
    if (of.format == YUYV && of.width % 2) fail(USAGE, "%s: frames of yuyv have an even width, not %d", option, of.width);
    return of;
}

size_t frame_bytes(const frame_format *of) {
    return (size_t)of->width * (size_t)of->height * (size_t)formats[of->format].bytes;
}

static uint8_t clipped(int value) { return (uint8_t)(value < 0 ? 0 : value > 255 ? 255 : value); }

/* ITU-R BT.601 with black at 16 and white at 235, in 8 bits behind the point. */
static void to_rgb(int y, int u, int v, uint8_t *rgb) {
    int luma = 298 * (y - 16) + 128, blue = u - 128, red = v - 128;
    rgb[0] = clipped((luma + 409 * red) >> 8);
    rgb[1] = clipped((luma - 100 * blue - 208 * red) >> 8);
    rgb[2] = clipped((luma + 516 * blue) >> 8);
}

image frame_image(const frame_format *of, const uint8_t *pixels) {
    const int channels = of->format == GRAY8 ? 1 : 3;
    const size_t count = (size_t)of->width * (size_t)of->height;
    image made = {of->width, of->height, channels, allocate(count * (uint64_t)channels)};
    if (of->format == RGB24 || of->format == GRAY8) memcpy(made.pixels, pixels, count * (size_t)channels);
    for (size_t i = 0; of->format == BGR24 && i < 3 * count; i++) made.pixels[i] = pixels[i / 3 * 3 + 2 - i % 3];
    for (size_t i = 0; of->format == YUYV && i < count; i += 2) { /* two pixels share one color */
        const uint8_t *pair = pixels + 2 * i;
        to_rgb(pair[0], pair[1], pair[3], made.pixels + 3 * i);
        to_rgb(pair[2], pair[1], pair[3], made.pixels + 3 * i + 3);
    }
    return made;
}

int read_frame(const frame_format *of, uint8_t *into, size_t *got) {
    *got = fread(into, 1, frame_bytes(of), stdin);
    return *got == frame_bytes(of) ? 1 : *got || ferror(stdin) ? -1 : 0;
}
