/* Send readings from standard input, one number a line: C99 and POSIX sockets, no library.
 *
 *   cc -std=c99 -Wall -O2 -o sender examples/sender.c
 *   echo 21.5 | ./sender 127.0.0.1 8000 tsk_... dev-001 temperature C readings.ndjson
 *
 * What it does is what a microcontroller should do: give a reading its id and time once, keep it in flash (here: a spool
 * file) before it is sent, forget it only after a 2xx, obey Retry-After, and back off with jitter when nobody answers.
 * It speaks plain HTTP. Across a network that is not yours use TLS: esp_http_client or mbedTLS on an ESP32,
 * a TLS proxy on Linux.
 */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

enum { BATCH_BYTES = 16384, ANSWER_BYTES = 16384, TIMEOUT_S = 15, LONGEST_PAUSE_S = 300 };

static const char *host, *port, *key, *device, *type, *unit, *spool;

static void random_bytes(unsigned char *bytes, size_t count) {
    int file = open("/dev/urandom", O_RDONLY);
    if (file < 0 || read(file, bytes, count) != (ssize_t)count) {
        perror("/dev/urandom");
        exit(1);
    }
    close(file);
}

/* A UUIDv7: 48 bits of milliseconds, then random. */
static void event_id(char text[37], int64_t milliseconds) {
    unsigned char b[16];
    random_bytes(b, sizeof b);
    for (int i = 0; i < 6; i++) b[i] = (unsigned char)(milliseconds >> (40 - 8 * i));
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x70);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(text, 37, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1], b[2], b[3],
             b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14], b[15]);
}

/* Append one event to the spool; it is on disk on return. recordedAt as an integer is milliseconds since the epoch. */
static int keep(double value) {
    struct timeval now;
    gettimeofday(&now, NULL);
    int64_t milliseconds = (int64_t)now.tv_sec * 1000 + now.tv_usec / 1000;
    char id[37], line[512];
    event_id(id, milliseconds);
    int length = snprintf(line, sizeof line,
                          "{\"eventId\":\"%s\",\"deviceId\":\"%s\",\"recordedAt\":%lld,\"type\":\"%s\",\"value\":%.9g%s%s%s}\n",
                          id, device, (long long)milliseconds, type, value, *unit ? ",\"unit\":\"" : "", unit,
                          *unit ? "\"" : "");
    if (length < 0 || (size_t)length >= sizeof line) return -1;
    int file = open(spool, O_WRONLY | O_APPEND | O_CREAT, 0600);
    if (file < 0) return -1;
    int failed = write(file, line, (size_t)length) != length || fsync(file) != 0;
    close(file);
    return failed ? -1 : 0;
}

/* The spool's settled bytes are kept in a file beside it. */
static const char *mark_path(void) {
    static char path[512];
    snprintf(path, sizeof path, "%s.offset", spool);
    return path;
}

static long settled(void) {
    long offset = 0;
    FILE *file = fopen(mark_path(), "r");
    if (file) {
        if (fscanf(file, "%ld", &offset) != 1) offset = 0;
        fclose(file);
    }
    return offset;
}

static void settle(long offset) {
    char path[544];
    snprintf(path, sizeof path, "%s.new", mark_path());
    long size = 0;
    FILE *file = fopen(spool, "r");
    if (file) {
        fseek(file, 0, SEEK_END);
        size = ftell(file);
        fclose(file);
    }
    int done = size == offset;
    file = fopen(path, "w");
    if (!file) return;
    fprintf(file, "%ld", done ? 0 : offset);
    fflush(file);
    fsync(fileno(file));
    fclose(file);
    if (rename(path, mark_path()) != 0) return;
    /* Only now: a spool that is sent again is harmless, an unread one is not. */
    if (done && truncate(spool, 0) != 0) perror(spool);
}

/* A power cut may have torn the last line: drop it. */
static void mend(void) {
    FILE *file = fopen(spool, "r");
    if (!file) return;
    long whole = 0, at = 0;
    for (int c; (c = fgetc(file)) != EOF;) {
        at++;
        if (c == '\n') whole = at;
    }
    fclose(file);
    if (whole != at && truncate(spool, whole) != 0) perror(spool);
    if (settled() > whole) settle(whole);
}

/* The oldest unsettled events as whole lines; their length, 0 when there are none. */
static size_t next_batch(char *batch, long offset) {
    FILE *file = fopen(spool, "r");
    if (!file) return 0;
    fseek(file, offset, SEEK_SET);
    size_t length = fread(batch, 1, BATCH_BYTES, file);
    fclose(file);
    while (length > 0 && batch[length - 1] != '\n') length--;
    return length;
}

static int dial(void) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    if (getaddrinfo(host, port, &hints, &list) != 0) return -1;
    int line = -1;
    for (struct addrinfo *at = list; at && line < 0; at = at->ai_next) {
        line = socket(at->ai_family, at->ai_socktype, at->ai_protocol);
        if (line < 0) continue;
        struct timeval limit = {.tv_sec = TIMEOUT_S};
        setsockopt(line, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        setsockopt(line, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
        if (connect(line, at->ai_addr, at->ai_addrlen) != 0) {
            close(line);
            line = -1;
        }
    }
    freeaddrinfo(list);
    return line;
}

static int send_all(int line, const char *bytes, size_t length) {
    while (length > 0) {
        ssize_t sent = send(line, bytes, length, 0);
        if (sent <= 0) return -1;
        bytes += sent;
        length -= (size_t)sent;
    }
    return 0;
}

/* Send a batch. Returns the status, or 0 when there was no answer; fills the answer and Retry-After (-1: none). */
static int post(const char *batch, size_t length, char *answer, int *retry_after) {
    char head[768];
    *retry_after = -1;
    answer[0] = '\0';
    int size = snprintf(head, sizeof head,
                        "POST /api/v1/telemetry HTTP/1.1\r\nHost: %s:%s\r\nAuthorization: Bearer %s\r\n"
                        "Content-Type: application/x-ndjson\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n",
                        host, port, key, length);
    if (size < 0 || (size_t)size >= sizeof head) return 0;
    int line = dial();
    if (line < 0) return 0;
    size_t got = 0;
    /* A server that refuses early may close while we still send: its answer is worth reading all the same. */
    if (send_all(line, head, (size_t)size) == 0) send_all(line, batch, length);
    ssize_t part;
    while (got < ANSWER_BYTES - 1 && (part = recv(line, answer + got, ANSWER_BYTES - 1 - got, 0)) > 0) got += (size_t)part;
    close(line);
    answer[got] = '\0';
    int status = 0;
    if (sscanf(answer, "HTTP/1.%*d %d", &status) != 1) return 0;
    for (char *at = strstr(answer, "\r\n"); at && strncmp(at, "\r\n\r\n", 4) != 0; at = strstr(at + 2, "\r\n"))
        if (strncasecmp(at + 2, "Retry-After:", 12) == 0) *retry_after = atoi(at + 14);
    return status;
}

static double chance(void) {
    uint32_t number;
    random_bytes((unsigned char *)&number, sizeof number);
    return number / 4294967296.0;
}

static void rest(double seconds) {
    struct timespec span = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
    while (nanosleep(&span, &span) != 0 && errno == EINTR) {
    }
}

static double seconds_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Send what is in the spool; unless `patient`, stop where a pause is due and leave the rest for the next call.
 * Returns 0, or the status with which the server refused for good. */
static int drain(int patient) {
    static char batch[BATCH_BYTES], answer[ANSWER_BYTES];
    static double not_before;
    static int attempt;
    for (;;) {
        double left = not_before - seconds_now();
        if (left > 0) {
            if (!patient) return 0;
            rest(left);
        }
        long offset = settled();
        size_t length = next_batch(batch, offset);
        if (length == 0) return 0;
        int retry_after, status = post(batch, length, answer, &retry_after);
        if (status == 200 || status == 202 || status == 422) { /* 422: none was acceptable, and none ever will be */
            if (status == 422 || strstr(answer, "\"rejected\":[{")) fprintf(stderr, "rejected: %s\n", answer);
            settle(offset + (long)length);
            attempt = 0;
        } else if (status == 0 || status == 408 || status == 429 || status >= 500) {
            double longest = attempt < 8 ? (double)(1 << ++attempt) : LONGEST_PAUSE_S;
            double pause = retry_after >= 0 ? retry_after * (1 + chance() / 4) : 0.1 + longest * chance();
            fprintf(stderr, "%d: again in %.1f s\n", status, pause);
            not_before = seconds_now() + pause;
        } else { /* the key or the request is wrong: repeating cannot help, the readings stay in the spool */
            fprintf(stderr, "refused: %s\n", answer);
            return status;
        }
    }
}

int main(int count, char **words) {
    if (count != 8) {
        fprintf(stderr, "usage: %s HOST PORT KEY DEVICE TYPE UNIT SPOOL < numbers   (UNIT may be \"\")\n", words[0]);
        return 2;
    }
    host = words[1], port = words[2], key = words[3], device = words[4], type = words[5], unit = words[6], spool = words[7];
    signal(SIGPIPE, SIG_IGN);
    mend();
    char line[64], *end;
    while (fgets(line, sizeof line, stdin)) {
        double value = strtod(line, &end);
        if (end == line || value != value || value - value != 0.0) continue; /* not a finite number */
        if (keep(value) != 0) {
            perror(spool);
            return 1;
        }
        if (drain(0) != 0) return 1;
    }
    return drain(1) == 0 ? 0 : 1; /* also what an earlier run left in the spool */
}
