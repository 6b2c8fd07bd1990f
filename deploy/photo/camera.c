/* camera.c: a V4L2 camera by ioctl and mmap (docs.kernel.org/userspace-api/media/v4l/mmap.html), in YUYV or MJPEG. */
#include "photo.h"

#if defined(__has_include)
#if __has_include(<linux/videodev2.h>)
#define HAS_V4L2
#endif
#endif

#ifndef HAS_V4L2
camera *open_camera(const char *path) {
    fail(FAILED, "%s: this program was built on a system without linux/videodev2.h; pipe frames into --frames", path);
}
int next_picture(camera *from, image *into) { return from && into && 0; }
void close_camera(camera *from) { (void)from; }
#else
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BUFFERS = 4, WIDTH = 640, HEIGHT = 480, PATIENCE_MS = 10000 };

struct camera {
    const char *path;
    int device, mjpeg;
    uint32_t stride, count;
    frame_format format;
    void *at[BUFFERS];
    size_t bytes[BUFFERS];
    uint8_t *room; /* for a frame without gaps between its rows */
};

/* An ioctl that is tried again where a signal of no interest came in between. */
static int control(const camera *of, unsigned long request, void *argument) {
    int status;
    do status = ioctl(of->device, request, argument);
    while (status < 0 && errno == EINTR);
    return status;
}

static void must(const camera *of, unsigned long request, void *argument, const char *what) {
    if (control(of, request, argument) < 0) fail(FAILED, "%s: the camera cannot %s: %s", of->path, what, strerror(errno));
}

/* Ask for a format; whether the camera gives it, in the size that it likes. */
static int takes_format(camera *of, uint32_t pixels) {
    struct v4l2_format wanted = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE};
    wanted.fmt.pix.width = WIDTH;
    wanted.fmt.pix.height = HEIGHT;
    wanted.fmt.pix.pixelformat = pixels;
    wanted.fmt.pix.field = V4L2_FIELD_NONE;
    if (control(of, VIDIOC_S_FMT, &wanted) < 0 || wanted.fmt.pix.pixelformat != pixels) return 0;
    of->format = (frame_format){(int)wanted.fmt.pix.width, (int)wanted.fmt.pix.height, YUYV};
    of->stride = wanted.fmt.pix.bytesperline;
    of->mjpeg = pixels == V4L2_PIX_FMT_MJPEG;
    return of->mjpeg || (of->format.width % 2 == 0 && of->stride >= 2 * wanted.fmt.pix.width);
}

static void map_buffers(camera *of) {
    struct v4l2_requestbuffers wanted = {.count = BUFFERS, .type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
    must(of, VIDIOC_REQBUFS, &wanted, "share its memory");
    size_t most = 0;
    for (of->count = 0; of->count < wanted.count && of->count < BUFFERS; of->count++) {
        struct v4l2_buffer buffer = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP, .index = of->count};
        must(of, VIDIOC_QUERYBUF, &buffer, "share its memory");
        void *at = mmap(NULL, buffer.length, PROT_READ | PROT_WRITE, MAP_SHARED, of->device, (off_t)buffer.m.offset);
        if (at == MAP_FAILED) fail(FAILED, "%s: cannot map the camera's memory: %s", of->path, strerror(errno));
        of->at[of->count] = at;
        of->bytes[of->count] = buffer.length;
        most = buffer.length > most ? buffer.length : most;
        must(of, VIDIOC_QBUF, &buffer, "take a buffer");
    }
    if (!of->count) fail(FAILED, "%s: the camera has no memory for pictures", of->path);
    of->room = allocate(most);
}

camera *open_camera(const char *path) {
    camera *made = allocate(sizeof *made);
    struct v4l2_capability able = {0};
    made->path = path;
    made->device = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    if (made->device < 0)
        fail(FAILED, "%s: expected a camera (/dev/video0, say), but cannot open it: %s%s", path, strerror(errno),
             errno == EACCES ? "; add yourself to the group video" : "");
    if (control(made, VIDIOC_QUERYCAP, &able) < 0) fail(FAILED, "%s: expected a camera, but this is no V4L2 device", path);
    uint32_t caps = able.capabilities & V4L2_CAP_DEVICE_CAPS ? able.device_caps : able.capabilities;
    if (!(caps & V4L2_CAP_VIDEO_CAPTURE) || !(caps & V4L2_CAP_STREAMING))
        fail(FAILED, "%s: expected a camera, but this device gives no stream of pictures; try the next /dev/video", path);
    if (!takes_format(made, V4L2_PIX_FMT_YUYV) && !takes_format(made, V4L2_PIX_FMT_MJPEG))
        fail(FAILED, "%s: the camera gives neither YUYV nor MJPEG; pipe frames into --frames (rpicam-vid, ffmpeg)", path);
    map_buffers(made);
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    must(made, VIDIOC_STREAMON, &type, "start");
    return made;
}

/* Wait until a buffer is filled: 1, or 0 where it was interrupted. */
static int wait_for_picture(const camera *from) {
    struct pollfd waiting = {.fd = from->device, .events = POLLIN};
    int status = poll(&waiting, 1, PATIENCE_MS);
    if (status < 0 && errno == EINTR) return 0;
    if (status == 0) fail(FAILED, "%s: the camera gave no picture for %d s", from->path, PATIENCE_MS / 1000);
    if (status < 0 || !(waiting.revents & POLLIN)) fail(FAILED, "%s: the camera is gone", from->path);
    return 1;
}

/* Take the newest filled buffer, and give older ones back; 0 where no buffer is filled. */
static int take_newest(const camera *from, struct v4l2_buffer *newest) {
    int taken = 0;
    for (;;) {
        struct v4l2_buffer buffer = {.type = V4L2_BUF_TYPE_VIDEO_CAPTURE, .memory = V4L2_MEMORY_MMAP};
        if (control(from, VIDIOC_DQBUF, &buffer) < 0) {
            if (errno != EAGAIN) fail(FAILED, "%s: the camera is gone: %s", from->path, strerror(errno));
            return taken;
        }
        if (buffer.index >= from->count) fail(FAILED, "%s: the camera names a buffer that it has not", from->path);
        if (taken) must(from, VIDIOC_QBUF, newest, "take a buffer back");
        *newest = buffer;
        taken = 1;
    }
}

/* The picture in a buffer; says what is wrong with it. */
static const char *read_buffer(camera *from, const struct v4l2_buffer *buffer, image *into) {
    const uint8_t *filled = from->at[buffer->index];
    size_t count = buffer->bytesused < from->bytes[buffer->index] ? buffer->bytesused : from->bytes[buffer->index];
    if (buffer->flags & V4L2_BUF_FLAG_ERROR) return image_error("a picture was lost");
    if (from->mjpeg) return decode_image((bytes){filled, count}, into);
    size_t row = 2 * (size_t)from->format.width, rows = (size_t)from->format.height;
    if (count < (rows - 1) * from->stride + row) return image_error("a picture is not whole");
    for (size_t y = 0; y < rows; y++) memcpy(from->room + y * row, filled + y * from->stride, row);
    *into = frame_image(&from->format, from->room);
    return NULL;
}

int next_picture(camera *from, image *into) {
    struct v4l2_buffer buffer;
    const char *wrong = NULL;
    for (int bad = 0; bad < 30; bad++) { /* the first pictures of a camera are often not whole */
        do
            if (!wait_for_picture(from)) return 0;
        while (!take_newest(from, &buffer));
        wrong = read_buffer(from, &buffer, into);
        must(from, VIDIOC_QBUF, &buffer, "take a buffer back");
        if (!wrong) return 1;
    }
    fail(FAILED, "%s: no picture of the camera can be read: %s", from->path, wrong);
}

void close_camera(camera *from) {
    int type = V4L2_BUF_TYPE_VIDEO_CAPTURE;
    control(from, VIDIOC_STREAMOFF, &type);
    for (uint32_t i = 0; i < from->count; i++) munmap(from->at[i], from->bytes[i]);
    close(from->device);
    free(from->room);
    free(from);
}
#endif
