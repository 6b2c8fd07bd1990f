/* preprocess.c: how an image becomes the input of the network: resized, cropped, normalized. docs/artifact.md defines it. */
#include <string.h>

#include "photo.h"

enum { MOST_SIDE = 65536 };

/* Which of the words a value is; -1 where it is none of them. */
static int word_of(const char *value, const char *const *words, int count) {
    for (int i = 0; i < count; i++)
        if (json_equals(value, words[i])) return i;
    return -1;
}

static int read_size(const char *value, int64_t *height, int64_t *width) {
    double numbers[2];
    if (!json_number(json_member(value, "height"), &numbers[0]) || !json_number(json_member(value, "width"), &numbers[1]))
        return 0;
    *height = (int64_t)numbers[0];
    *width = (int64_t)numbers[1];
    return numbers[0] >= 1 && numbers[0] <= MOST_SIDE && (double)*height == numbers[0] && numbers[1] >= 1 &&
           numbers[1] <= MOST_SIDE && (double)*width == numbers[1];
}

/* Exactly `count` numbers, one for each channel of the input. */
static int read_numbers(const char *array, int count, float *into) {
    double number;
    const char *value = json_first(array);
    for (int i = 0; i < count; i++, value = json_next(value)) {
        if (!value || !json_number(value, &number)) return 0;
        into[i] = (float)number;
    }
    return !value;
}

const char *read_preprocess(const char *value, preprocess *into) {
    static const char *const modes[] = {[STRETCH] = "stretch", [SHORTER] = "shorter", [NO_RESIZE] = "none"};
    static const char *const orders[] = {[RGB] = "rgb", [BGR] = "bgr", [GRAY] = "gray"};
    const char *resize = json_member(value, "resize"), *crop = json_member(value, "crop"), *baked = json_member(value, "baked");
    *into = (preprocess){.resize = word_of(json_member(resize, "mode"), modes, 3),
                         .channels = word_of(json_member(value, "channels"), orders, 3),
                         .baked = baked && *baked == 't'};
    if (!json_equals(json_member(value, "interpolation"), "bilinear-antialias"))
        return image_error("interpolation is not bilinear-antialias");
    if (into->resize < 0 || !read_size(resize, &into->height, &into->width)) return image_error("resize is not understood");
    if (into->channels < 0) return image_error("channels is none of rgb, bgr and gray");
    if (!baked || !strchr("tf", *baked)) return image_error("baked is neither true nor false");
    if (!crop || (*crop != 'n' && !read_size(crop, &into->crop_height, &into->crop_width)))
        return image_error("crop is not understood");
    if (into->crop_height > into->height || into->crop_width > into->width || (!into->crop_height && into->resize == SHORTER))
        return image_error("crop does not fit resize");
    const int channels = into->channels == GRAY ? 1 : 3;
    if (!read_numbers(json_member(value, "mean"), channels, into->mean) ||
        !read_numbers(json_member(value, "std"), channels, into->std))
        return image_error("mean and std are not a number for each channel");
    for (int c = 0; c < channels; c++)
        if (into->std[c] == 0) return image_error("std is zero");
    return NULL;
}

/* Where the crop begins: in the middle, a half rounded to even. */
static int64_t offset_of(int64_t whole, int64_t part) {
    int64_t difference = whole - part, half = difference / 2;
    return half + (half & difference & 1);
}

const char *find_view(const preprocess *how, int width, int height, view *into) {
    view seen = {how->width, how->height, 0, 0, (int)how->width, (int)how->height};
    if (how->resize == NO_RESIZE && (width != how->width || height != how->height))
        return image_error("the network takes images of %dx%d pixels as they are, not %dx%d: resize it", (int)how->width,
                           (int)how->height, width, height);
    if (how->resize == SHORTER && width * how->height <= height * how->width)
        seen.full_height = how->width * height / width;
    else if (how->resize == SHORTER)
        seen.full_width = how->height * width / height;
    if (how->crop_height) {
        seen.width = (int)how->crop_width;
        seen.height = (int)how->crop_height;
        seen.left = offset_of(seen.full_width, seen.width);
        seen.top = offset_of(seen.full_height, seen.height);
    }
    *into = seen;
    return NULL;
}

const char *fill_input(const preprocess *how, image *from, void *input) {
    view seen;
    const char *wrong = find_view(how, from->width, from->height, &seen);
    if (wrong) return wrong;
    how->channels == GRAY ? make_gray(from) : make_color(from);
    image small = resample(from, &seen);
    const int channels = small.channels;
    const size_t count = (size_t)small.width * (size_t)small.height;
    for (int c = 0; c < channels; c++) {
        const uint8_t *pixels = small.pixels + (how->channels == BGR ? channels - 1 - c : c);
        float normalized[256];
        for (int value = 0; value < 256; value++) normalized[value] = ((float)value / 255.0f - how->mean[c]) / how->std[c];
        if (how->baked)
            for (size_t i = 0; i < count; i++) ((uint8_t *)input)[i * (size_t)channels + (size_t)c] = pixels[i * (size_t)channels];
        else
            for (size_t i = 0; i < count; i++) ((float *)input)[(size_t)c * count + i] = normalized[pixels[i * (size_t)channels]];
    }
    free_image(&small);
    return NULL;
}
