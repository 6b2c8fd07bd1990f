/* decode_image.c: the image of a file: upright, 8 bits per channel, on white where it is transparent. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "photo.h"
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#include "stb_image.h"

static const char png[] = "\x89PNG\r\n\x1a\n";

static int is_png(bytes file) { return file.count >= sizeof png - 1 && !memcmp(file.at, png, sizeof png - 1); }
static int is_jpeg(bytes file) { return file.count >= 3 && !memcmp(file.at, "\xFF\xD8\xFF", 3); }
static int is_pnm(bytes file) { return file.count >= 3 && file.at[0] == 'P' && strchr("2356", file.at[1]) && file.at[1]; }

int is_image(bytes start) { return is_png(start) || is_jpeg(start) || is_pnm(start); }

/* Gray of 16 bits: 0..65535 becomes 0..255, rounded. Of all other kinds of 16 bits the upper 8 are taken. */
static uint8_t *decode_gray16(bytes file, image *into) {
    int channels;
    uint16_t *wide = stbi_load_16_from_memory(file.at, (int)file.count, &into->width, &into->height, &channels, 0);
    if (!wide) return NULL;
    size_t count = (size_t)into->width * (size_t)into->height;
    uint8_t *pixels = allocate(count);
    for (size_t i = 0; i < count; i++) pixels[i] = (uint8_t)((wide[i * (size_t)channels] * 255u + 32767u) / 65535u);
    free(wide);
    into->channels = 1;
    return pixels;
}

/* What is transparent on white, the color of paper, with Pillow's rounding (AlphaComposite.c). */
static void put_on_white(image *of) {
    const int colors = of->channels - 1;
    size_t count = (size_t)of->width * (size_t)of->height;
    for (size_t i = 0; i < count; i++) {
        const uint8_t *from = of->pixels + i * (size_t)of->channels;
        uint32_t alpha = from[colors];
        for (int c = 0; c < colors; c++) {
            uint32_t sum = from[c] * alpha * 128 + 255 * (255 - alpha) * 128 + (128 << 7);
            of->pixels[i * (size_t)colors + (size_t)c] = (uint8_t)((((sum >> 8) + sum) >> 8) >> 7);
        }
    }
    of->channels = colors;
}

static const char *decode_by_stb(bytes file, image *into) {
    const int gray16 = is_png(file) && file.count > 25 && file.at[24] == 16 && file.at[25] == 0;
    if (file.count > INT_MAX || !stbi_info_from_memory(file.at, (int)file.count, &into->width, &into->height, &into->channels))
        return image_error("not a readable image (%s)", file.count > INT_MAX ? "too large" : stbi_failure_reason());
    if ((int64_t)into->width * into->height > MOST_PIXELS)
        return image_error("%dx%d pixels are too many", into->width, into->height);
    if (is_jpeg(file)) {
        jpeg_planes planes;
        const char *wrong = read_jpeg(file, &planes);
        if (wrong) return wrong;
        *into = jpeg_pixels(&planes);
        close_jpeg(&planes);
        return NULL;
    }
    into->pixels = gray16 ? decode_gray16(file, into)
                          : stbi_load_from_memory(file.at, (int)file.count, &into->width, &into->height, &into->channels, 0);
    return into->pixels ? NULL : image_error("not a readable image (%s)", stbi_failure_reason());
}

const char *decode_image(bytes file, image *into) {
    int orientation = 1;
    const char *wrong;
    *into = (image){0};
    if (is_pnm(file)) return read_pnm(file, into);
    if (!is_png(file) && !is_jpeg(file)) return image_error("expected a JPEG, PNG, PPM or PGM file, and this is none; convert it");
    if ((wrong = is_png(file) ? check_png(file, &orientation) : check_jpeg(file, &orientation))) return wrong;
    uint8_t *added = NULL;
    wrong = decode_by_stb(is_jpeg(file) ? with_tables(file, &added) : file, into);
    free(added);
    if (wrong) return wrong;
    if (into->channels == 2 || into->channels == 4) put_on_white(into);
    put_upright(into, orientation);
    return NULL;
}

const char *read_image(const char *path, image *into) {
    size_t room = 1 << 16, used = 0;
    errno = 0;
    FILE *file = fopen(path, "rb");
    if (!file) return image_error("cannot open this file: %s", strerror(errno));
    uint8_t *content = malloc(room);
    while (content && (used += fread(content + used, 1, room - used, file)) == room) content = realloc(content, room *= 2);
    if (!content) fail(FAILED, "%s: not enough memory", path);
    const char *wrong = ferror(file) ? image_error("cannot read this file: %s", strerror(errno)) : NULL;
    fclose(file);
    if (!wrong) wrong = decode_image((bytes){content, used}, into);
    free(content);
    return wrong;
}
