/* threads.c: worker threads that live as long as the instance, and static shares of a parallel loop.
 *
 * After each share a worker polls for a fifth of a millisecond, as the next loop usually follows within this time. Then
 * it sleeps on a condition variable, so that an idle instance costs no CPU time. The caller takes part as thread 0.
 * Share t of T is the tasks t, t + T, t + 2T, ... and is offered to thread t. When the caller has finished its own
 * share, it takes the shares that no thread has begun, because waking a thread takes longer than many a loop. A launch
 * from inside a task runs serially.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "program.h"

enum { POLL_NS = 200000, POLLS_PER_LOOK = 64 }; /* how long to poll, and how often to look at the clock */

typedef struct worker {
    b2nn_pool *pool;
    int32_t index;
    pthread_t thread;
    atomic_int offered; /* a share of the loop, until a thread takes it */
} worker;

struct b2nn_pool {
    pthread_mutex_t mutex;
    pthread_cond_t work, done;
    int stop;           /* only changed under the mutex */
    atomic_int pending; /* shares that have been offered and are not finished */
    atomic_int status;
    b2nn_task task; /* task, data and task_count are only read by threads that have taken a share */
    void *data;
    int32_t task_count;
    int crowded; /* there are more threads than CPUs */
    pid_t process; /* the process of the workers, which do not survive fork() */
    int present;   /* this run has found the workers here; the check is a system call, so only a launch makes it */
    b2nn_thread *threads;
    int32_t thread_count;
    worker *workers; /* workers[i] runs as threads[i]; workers[0] is unused */
};

_Thread_local b2nn_thread *b2nn_current;

/* With more threads than CPUs, polling would keep the awaited threads from running: then each poll yields the CPU. */
static void relax(const b2nn_pool *pool) {
    if (pool->crowded) {
        sched_yield();
        return;
    }
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__) || defined(__arm__)
    __asm__ volatile("yield");
#endif
}

static int run_tasks(b2nn_thread *self, b2nn_task task, void *data, int32_t first, int32_t stride, int32_t count) {
    b2nn_task_group group = {NULL, count};
    uint64_t used = self->used;
    int outer = self->in_task, status = 0;
    self->in_task = 1;
    for (int32_t id = first; id < count && status == 0; id += stride) {
        status = task(id, &group, data);
        self->used = used; /* also after a task that failed between taking and freeing */
    }
    self->in_task = outer;
    return status;
}

static int64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* Whether the flag took the value within the time of polling. */
static int poll_for(const b2nn_pool *pool, atomic_int *flag, int value) {
    int64_t end = 0;
    do {
        for (int i = 0; i < POLLS_PER_LOOK; i++) {
            if (atomic_load_explicit(flag, memory_order_acquire) == value) return 1;
            relax(pool);
        }
        if (!end) end = now_ns() + POLL_NS;
    } while (now_ns() < end);
    return 0;
}

/* Run the share that was offered to a worker, as thread ``self``, if no other thread has taken it. */
static void take_share(b2nn_pool *pool, worker *of, b2nn_thread *self) {
    if (!atomic_exchange_explicit(&of->offered, 0, memory_order_acquire)) return;
    int status = run_tasks(self, pool->task, pool->data, of->index, pool->thread_count, pool->task_count);
    if (status) atomic_store(&pool->status, status);
    if (atomic_fetch_sub_explicit(&pool->pending, 1, memory_order_acq_rel) == 1 && self != pool->threads) {
        pthread_mutex_lock(&pool->mutex);
        pthread_cond_signal(&pool->done);
        pthread_mutex_unlock(&pool->mutex);
    }
}

/* Wait for a share; 0 when the pool stops and no share will come. */
static int await_share(worker *self) {
    b2nn_pool *pool = self->pool;
    if (poll_for(pool, &self->offered, 1)) return 1;
    pthread_mutex_lock(&pool->mutex);
    while (!atomic_load(&self->offered) && !pool->stop) pthread_cond_wait(&pool->work, &pool->mutex);
    int stop = pool->stop;
    pthread_mutex_unlock(&pool->mutex);
    return !stop;
}

static void *work(void *argument) {
    worker *self = argument;
    b2nn_thread *thread = &self->pool->threads[self->index];
    b2nn_current = thread;
    while (await_share(self)) take_share(self->pool, self, thread);
    return NULL;
}

static void wake_workers(b2nn_pool *pool, int stop) {
    pthread_mutex_lock(&pool->mutex);
    pool->stop = stop;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
}

static void wait_for_workers(b2nn_pool *pool) {
    if (poll_for(pool, &pool->pending, 0)) return;
    pthread_mutex_lock(&pool->mutex);
    while (atomic_load_explicit(&pool->pending, memory_order_acquire) != 0)
        pthread_cond_wait(&pool->done, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
}

void b2nn_pool_enter(b2nn_pool *pool) { pool->present = 0; }

static int present(b2nn_pool *pool) { return pool->present || (pool->present = pool->process == getpid()); }

int b2nn_pool_launch(b2nn_task task, void *data, int task_count) {
    b2nn_thread *self = b2nn_current;
    b2nn_pool *pool = self->pool;
    if (!pool || self->in_task) return run_tasks(self, task, data, 0, 1, task_count > 0 ? task_count : 1);
    if (!present(pool)) return B2NN_FORKED;
    pool->task = task;
    pool->data = data;
    pool->task_count = task_count > 0 ? task_count : pool->thread_count;
    atomic_store(&pool->status, 0);
    atomic_store(&pool->pending, pool->thread_count - 1);
    for (int32_t i = 1; i < pool->thread_count; i++)
        atomic_store_explicit(&pool->workers[i].offered, 1, memory_order_release);
    wake_workers(pool, 0);
    int status = run_tasks(self, task, data, 0, pool->thread_count, pool->task_count);
    for (int32_t i = 1; i < pool->thread_count; i++) take_share(pool, &pool->workers[i], self);
    wait_for_workers(pool);
    return status ? status : atomic_load(&pool->status);
}

/* Signals are for the application's threads: workers start with all of them blocked. */
static int start(worker *self) {
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int status = pthread_create(&self->thread, NULL, work, self);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return status;
}

b2nn_pool *b2nn_pool_create(b2nn_thread *threads, int32_t count, int32_t cpus) {
    b2nn_pool *pool = calloc(1, sizeof *pool);
    worker *workers = calloc((size_t)count, sizeof *workers);
    if (!pool || !workers) {
        free(pool);
        free(workers);
        return NULL;
    }
    pthread_mutex_init(&pool->mutex, NULL);
    pthread_cond_init(&pool->work, NULL);
    pthread_cond_init(&pool->done, NULL);
    pool->threads = threads;
    pool->workers = workers;
    pool->thread_count = count;
    pool->crowded = count > cpus;
    pool->process = getpid();
    threads[0].pool = pool;
    for (int32_t i = 1; i < count; i++) {
        threads[i].pool = pool;
        workers[i].pool = pool;
        workers[i].index = i;
        if (start(&workers[i]) != 0) {
            /* The workers that run already read thread_count only after they have taken a share. */
            pool->thread_count = i;
            b2nn_pool_destroy(pool);
            return NULL;
        }
    }
    return pool;
}

void b2nn_pool_destroy(b2nn_pool *pool) {
    if (pool->process == getpid()) {
        wake_workers(pool, 1);
        for (int32_t i = 1; i < pool->thread_count; i++) pthread_join(pool->workers[i].thread, NULL);
        pthread_cond_destroy(&pool->work);
        pthread_cond_destroy(&pool->done);
        pthread_mutex_destroy(&pool->mutex);
    }
    free(pool->workers);
    free(pool);
}
