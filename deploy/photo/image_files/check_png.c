/* check_png.c: the chunks of a PNG file: their checksums, which the decoder leaves out, and the orientation. */
#include <stdlib.h>
#include <string.h>

#include "photo.h"
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STBI_NO_STDIO
#include "stb_image.h"

static uint32_t big_endian(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | (uint32_t)at[3];
}

/* The checksum of PNG: the remainder of ISO 3309, by a table of the remainders of single bytes. */
static uint32_t checksum(const uint8_t *at, size_t count) {
    static uint32_t table[256];
    for (uint32_t byte = 0; byte < 256 && !table[255]; byte++) {
        uint32_t rest = byte;
        for (int bit = 0; bit < 8; bit++) rest = rest & 1 ? rest >> 1 ^ 0xEDB88320u : rest >> 1;
        table[byte] = rest;
    }
    uint32_t sum = ~0u;
    for (size_t i = 0; i < count; i++) sum = sum >> 8 ^ table[(sum ^ at[i]) & 255];
    return ~sum;
}

/* The orientation in a chunk iTXt that holds a packet of XMP, which may be compressed; 0 where it holds none. */
static int read_text(bytes chunk) {
    static const char name[] = "XML:com.adobe.xmp";
    if (chunk.count < sizeof name + 4 || memcmp(chunk.at, name, sizeof name)) return 0;
    int compressed = chunk.at[sizeof name];
    size_t at = sizeof name + 2;
    for (int words = 0; words < 2; words++, at++) /* the language, and the keyword in this language */
        while (at < chunk.count && chunk.at[at]) at++;
    if (at >= chunk.count || chunk.count - at > 1 << 24) return 0;
    if (!compressed) return xmp_orientation((bytes){chunk.at + at, chunk.count - at});
    int count = 0;
    char *text = stbi_zlib_decode_malloc((const char *)chunk.at + at, (int)(chunk.count - at), &count);
    int found = text ? xmp_orientation((bytes){(const uint8_t *)text, (size_t)count}) : 0;
    free(text);
    return found;
}

const char *check_png(bytes file, int *orientation) {
    int exif = 0, xmp = 0;
    for (size_t at = 8; file.count - at >= 12;) {
        uint32_t length = big_endian(file.at + at);
        const uint8_t *type = file.at + at + 4;
        if (length > file.count - at - 12) break;
        if (checksum(type, (size_t)length + 4) != big_endian(type + 4 + length))
            return image_error("this PNG file is damaged (a checksum differs): copy it again");
        const bytes chunk = {type + 4, length};
        if (!memcmp(type, "eXIf", 4) && !exif) exif = exif_orientation(chunk);
        if (!memcmp(type, "iTXt", 4) && !xmp) xmp = read_text(chunk);
        if (!memcmp(type, "IEND", 4)) {
            *orientation = exif ? exif : xmp;
            return NULL;
        }
        at += 12 + (size_t)length;
    }
    return image_error("this PNG file ends early: copy it again");
}
