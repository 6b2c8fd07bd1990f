/* Decodes thousands of damaged copies of image files, and reads damaged texts of JSON; for the sanitizers. */
#include <stdlib.h>
#include <string.h>

#include "photo.h"

enum { COPIES = 400 };

static uint32_t draw(uint32_t below) {
    static uint32_t state = 1;
    state = state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(state >> 8) * below >> 24);
}

static void damage(uint8_t *bytes, size_t *count) {
    for (uint32_t i = 0; i <= draw(4); i++) {
        uint32_t at = draw((uint32_t)*count), few = 1 + draw(8);
        switch (draw(4)) {
            case 0: bytes[at] = (uint8_t)draw(256); break;
            case 1: bytes[at] ^= (uint8_t)(1 << draw(8)); break;
            case 2: if (at + few < *count) memmove(bytes + at, bytes + at + few, *count - at - few), *count -= few; break;
            default: if (!draw(8)) *count = at + 1;
        }
    }
}

static void read_json(const char *text) {
    if (!json_is_valid(text)) return;
    preprocess how;
    view seen;
    const char *part = json_member(text, "preprocess");
    if (part && !read_preprocess(part, &how)) find_view(&how, 640, 480, &seen);
    for (const char *label = json_first(json_member(text, "labels")); label; label = json_next(label)) free(json_text(label));
}

int main(int argc, char **argv) {
    long read = 0;
    for (int i = 1; i < argc; i++) {
        static uint8_t file[1 << 20];
        FILE *from = fopen(argv[i], "rb");
        size_t count = from ? fread(file, 1, sizeof file, from) : 0;
        if (!count || fclose(from)) return 2;
        for (int copy = 0; copy < COPIES; copy++) {
            size_t rest = count;
            uint8_t *bytes = malloc(count + 1); /* of the exact size, so that one byte more is noticed */
            memcpy(bytes, file, count);
            if (copy) damage(bytes, &rest);
            bytes = realloc(bytes, rest + 1);
            bytes[rest] = 0;
            if (file[0] == '{') read_json((const char *)bytes);
            bytes = realloc(bytes, rest);
            image made;
            const char *wrong = decode_image((struct bytes){bytes, rest}, &made);
            read += !wrong;
            if (!wrong) free_image(&made);
            free(bytes);
        }
    }
    printf("%ld read\n", read);
    return 0;
}
