/*
 * How long a daemon takes from request to answer, as a client sees it that costs nothing itself.
 *
 *     ask SOCKET
 *
 * For each line of standard input, which names an account, it asks for a code over one connection and prints "NANOSECONDS CODE".
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int64_t nanoseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

static void check(const char *what, int good)
{
	if (!good) {
		fprintf(stderr, "ask: cannot %s\n", what);
		exit(1);
	}
}

/*
 * wait_for returns when there is something to read. It polls, as libpcsclite does: who sleeps in read(2) is also woken when the
 * daemon takes the request, which the daemon would pay for.
 */
static void wait_for(int daemon)
{
	struct pollfd readable = {.fd = daemon, .events = POLLIN};

	check("wait for the answer", poll(&readable, 1, -1) == 1);
}

static void ask(int daemon, const char *name)
{
	char request[512], answer[4096], body[128];
	int n = snprintf(body, sizeof body, "{\"account\":\"%s\"}", name);

	n = snprintf(request, sizeof request,
		     "POST /v1/code HTTP/1.1\r\nHost: oathd\r\nAccept: text/plain\r\nContent-Type: application/json\r\n"
		     "Content-Length: %d\r\n\r\n%s", n, body);
	int64_t began = nanoseconds();
	check("ask", write(daemon, request, n) == n);
	wait_for(daemon);
	ssize_t length = read(daemon, answer, sizeof answer - 1);
	int64_t took = nanoseconds() - began;
	check("read the answer", length > 0);
	answer[length] = '\0';
	check("get a code", strncmp(answer, "HTTP/1.1 200", 12) == 0);
	char *code = strstr(answer, "\r\n\r\n");
	check("find the code", code != NULL);
	printf("%" PRId64 " %s", took, code + 4);
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[66];
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int daemon = socket(AF_UNIX, SOCK_STREAM, 0);

	check("use the arguments", argc == 2 && strlen(argv[1]) < sizeof address.sun_path);
	strcpy(address.sun_path, argv[1]);
	check("reach the daemon", connect(daemon, (struct sockaddr *)&address, sizeof address) == 0);
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = '\0';
		ask(daemon, line);
	}
	return 0;
}
