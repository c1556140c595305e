/*
 * What a code costs without a daemon: SCardEstablishContext, SCardListReaders, SCardConnect, SELECT and
 * CALCULATE, in process.
 *
 *     cold READER
 *
 * For each line of standard input, which names a credential, it does all of that once and prints
 * "NANOSECONDS CODE". What follows an answer, giving the card and the context back, is not timed.
 */
#include "card.h"

/* calculate asks for a TOTP code of 30 s: tag 71 is the name, 74 the challenge, 76 the truncated answer. */
static uint32_t calculate(SCARDHANDLE card, DWORD protocol, const char *name)
{
	BYTE command[128] = {0x00, 0xa2, 0x00, 0x01}, answer[MAX_BUFFER_SIZE];
	size_t length = strlen(name), end = 5;
	uint64_t step = (uint64_t)time(NULL) / 30;

	command[end++] = 0x71;
	command[end++] = (BYTE)length;
	memcpy(command + end, name, length);
	end += length;
	command[end++] = 0x74;
	command[end++] = 8;
	for (int shift = 56; shift >= 0; shift -= 8)
		command[end++] = (BYTE)(step >> shift);
	command[4] = (BYTE)(end - 5);
	exchange(card, protocol, command, (DWORD)end, answer, 7);
	return ((uint32_t)answer[3] << 24 | (uint32_t)answer[4] << 16 | (uint32_t)answer[5] << 8 | answer[6]) % 1000000;
}

static void answer(const char *reader, const char *name)
{
	static const BYTE select[] = {0x00, 0xa4, 0x04, 0x00, 0x07, 0xa0, 0x00, 0x00, 0x05, 0x27, 0x21, 0x01};
	char readers[MAX_BUFFER_SIZE];
	BYTE selected[MAX_BUFFER_SIZE];
	DWORD length = sizeof readers, protocol;
	SCARDCONTEXT context;
	SCARDHANDLE card;
	int64_t began = nanoseconds();

	check("reach pcscd", SCardEstablishContext(SCARD_SCOPE_SYSTEM, NULL, NULL, &context));
	check("list the readers", SCardListReaders(context, NULL, readers, &length));
	check("connect", SCardConnect(context, reader, SCARD_SHARE_SHARED, SCARD_PROTOCOL_T0 | SCARD_PROTOCOL_T1, &card, &protocol));
	exchange(card, protocol, select, sizeof select, selected, 1);
	uint32_t code = calculate(card, protocol, name);
	printf("%" PRId64 " %06" PRIu32 "\n", nanoseconds() - began, code);
	fflush(stdout);
	SCardDisconnect(card, SCARD_LEAVE_CARD);
	SCardReleaseContext(context);
}

int main(int argc, char **argv)
{
	char line[66]; /* a name has at most 64 bytes */

	if (argc != 2) {
		fprintf(stderr, "usage: cold READER\n");
		return 2;
	}
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = '\0';
		answer(argv[1], line);
	}
	return 0;
}
