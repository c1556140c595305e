/* What programs that measure cards by PC/SC have in common. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <winscard.h>

static void check(const char *what, LONG status)
{
	if (status != SCARD_S_SUCCESS) {
		fprintf(stderr, "cannot %s: %s\n", what, pcsc_stringify_error(status));
		exit(1);
	}
}

static int64_t nanoseconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* exchange sends a command and leaves its answer, which is at least as long as wanted and ends with 9000, in answer. */
static void exchange(SCARDHANDLE card, DWORD protocol, const BYTE *command, DWORD length, BYTE *answer, DWORD wanted)
{
	const SCARD_IO_REQUEST *header = protocol == SCARD_PROTOCOL_T0 ? SCARD_PCI_T0 : SCARD_PCI_T1;
	DWORD n = MAX_BUFFER_SIZE;

	check("send a command", SCardTransmit(card, header, command, length, NULL, answer, &n));
	if (n < wanted + 2 || answer[n - 2] != 0x90 || answer[n - 1] != 0x00) {
		fprintf(stderr, "the key refuses command %02x\n", command[1]);
		exit(1);
	}
}
