/*
 * How long a card takes for some commands, as any program sees it: from SCardTransmit to its return, with what lies between.
 *
 *     replay READER
 *
 * It sends the commands that standard input has, one a line in hexadecimal, in one transaction, and prints the sum of their times in
 * nanoseconds.
 */
#include "card.h"

/* bytes reads hexadecimal up to the end of the line, and returns how many there were. */
static DWORD bytes(const char *line, BYTE *command)
{
	DWORD n = 0;

	for (unsigned int byte; n < MAX_BUFFER_SIZE && sscanf(line + 2 * n, "%2x", &byte) == 1; n++)
		command[n] = (BYTE)byte;
	return n;
}

int main(int argc, char **argv)
{
	char line[2 * MAX_BUFFER_SIZE + 2];
	BYTE command[MAX_BUFFER_SIZE], answer[MAX_BUFFER_SIZE];
	DWORD protocol;
	SCARDCONTEXT context;
	SCARDHANDLE card;
	int64_t sum = 0;

	if (argc != 2) {
		fprintf(stderr, "usage: replay READER\n");
		return 2;
	}
	check("reach pcscd", SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context));
	check("connect", SCardConnect(context, argv[1], SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card, &protocol));
	check("begin", SCardBeginTransaction(card));
	while (fgets(line, sizeof line, stdin)) {
		DWORD length = bytes(line, command);
		int64_t began = nanoseconds();
		exchange(card, protocol, command, length, answer, 0);
		sum += nanoseconds() - began;
	}
	printf("%" PRId64 "\n", sum);
	SCardEndTransaction(card, SCARD_LEAVE_CARD);
	SCardDisconnect(card, SCARD_LEAVE_CARD);
	SCardReleaseContext(context);
	return 0;
}
