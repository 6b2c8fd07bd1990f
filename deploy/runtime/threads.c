/* threads.c: worker threads that live as long as the instance, and static shares of a parallel loop.
 *
 * A worker spins for a bounded number of polls after each job, as the next kernel usually follows within microseconds,
 * then sleeps on a condition variable: an idle instance costs no CPU time. The caller takes part as thread 0. Thread t
 * of T runs tasks t, t + T, t + 2T, ...; a launch from inside a task runs serially.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "program.h"

/* 10 to 100 us, by the CPU's pause instruction. With more threads than CPUs, polling keeps those waited for from running:
 * then each poll lets another thread run. */
enum { POLLS = 2000, CROWDED_POLLS = 100 };

typedef struct worker {
    b2nn_pool *pool;
    int32_t index;
    pthread_t thread;
} worker;

struct b2nn_pool {
    pthread_mutex_t mutex;
    pthread_cond_t work, done;
    atomic_uint job;    /* counts jobs; changes under the mutex */
    atomic_int pending; /* workers that have not finished the job */
    atomic_int status;
    int stop;
    b2nn_task task;
    void *data;
    int32_t task_count;
    int crowded; /* more threads than CPUs */
    pid_t process; /* worker threads do not survive fork() */
    int present;   /* they are in this process: asked once a run, and not in one that needs none, as it is a system call */
    b2nn_thread *threads;
    int32_t thread_count;
    worker *workers; /* workers[i] runs as threads[i]; workers[0] is unused */
};

_Thread_local b2nn_thread *b2nn_current;

static int poll_limit(const b2nn_pool *pool) { return pool->crowded ? CROWDED_POLLS : POLLS; }

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

static unsigned next_job(b2nn_pool *pool, unsigned last) {
    unsigned job;
    for (int poll = 0; poll < poll_limit(pool); poll++) {
        if ((job = atomic_load_explicit(&pool->job, memory_order_acquire)) != last) return job;
        relax(pool);
    }
    pthread_mutex_lock(&pool->mutex);
    while ((job = atomic_load_explicit(&pool->job, memory_order_acquire)) == last)
        pthread_cond_wait(&pool->work, &pool->mutex);
    pthread_mutex_unlock(&pool->mutex);
    return job;
}

static void *work(void *argument) {
    worker *self = argument;
    b2nn_pool *pool = self->pool;
    b2nn_thread *thread = &pool->threads[self->index];
    b2nn_current = thread;
    for (unsigned last = 0;;) {
        last = next_job(pool, last);
        if (pool->stop) return NULL;
        int status = run_tasks(thread, pool->task, pool->data, self->index, pool->thread_count, pool->task_count);
        if (status) atomic_store(&pool->status, status);
        if (atomic_fetch_sub_explicit(&pool->pending, 1, memory_order_acq_rel) == 1) {
            pthread_mutex_lock(&pool->mutex);
            pthread_cond_signal(&pool->done);
            pthread_mutex_unlock(&pool->mutex);
        }
    }
}

static void announce(b2nn_pool *pool) {
    pthread_mutex_lock(&pool->mutex);
    atomic_fetch_add_explicit(&pool->job, 1, memory_order_release);
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->mutex);
}

static void wait_for_workers(b2nn_pool *pool) {
    for (int poll = 0; poll < poll_limit(pool); poll++) {
        if (atomic_load_explicit(&pool->pending, memory_order_acquire) == 0) return;
        relax(pool);
    }
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
    announce(pool);
    int status = run_tasks(self, task, data, 0, pool->thread_count, pool->task_count);
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
            /* Those that run read thread_count only after a job was announced. */
            pool->thread_count = i;
            b2nn_pool_destroy(pool);
            return NULL;
        }
    }
    return pool;
}

void b2nn_pool_destroy(b2nn_pool *pool) {
    if (pool->process == getpid()) {
        pool->stop = 1;
        announce(pool);
        for (int32_t i = 1; i < pool->thread_count; i++) pthread_join(pool->workers[i].thread, NULL);
        pthread_cond_destroy(&pool->work);
        pthread_cond_destroy(&pool->done);
        pthread_mutex_destroy(&pool->mutex);
    }
    free(pool->workers);
    free(pool);
}
