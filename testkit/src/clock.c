/* libfaketime answers the clocks that librdkafka reads and not C11's cnd_timedwait, by which it waits until a time of the wall
   clock: behind, it would not wait at all, ahead for as long as the clock is wrong. In glibc both types are the same. */
#include <errno.h>
#include <pthread.h>
#include <threads.h>

int cnd_timedwait(cnd_t *condition, mtx_t *mutex, const struct timespec *until) {
    switch (pthread_cond_timedwait((pthread_cond_t *)condition, (pthread_mutex_t *)mutex, until)) {
    case 0:
        return thrd_success;
    case ETIMEDOUT:
        return thrd_timedout;
    default:
        return thrd_error;
    }
}
