/** Something was asked for that a benchmark does not do: `bench` answers with the message, its usage and exit code 2. */
export class Misuse extends Error {}

/** Whether an error says that the arguments were wrong: ours, or that of `parseArgs`. */
export function isMisuse(error: unknown): error is Error {
  if (!(error instanceof Error)) return false;
  return (
    error instanceof Misuse || String((error as NodeJS.ErrnoException).code).startsWith('ERR_PARSE_ARGS_')
  );
}

/** An argument that is a whole number from `least` to `most`; `usual` where it was not given. */
export function wholeNumber(
  name: string,
  text: string | undefined,
  usual: number,
  least = 1,
  most = 1_000_000_000,
): number {
  if (text === undefined) return usual;
  const number = Number(text);
  if (!/^[0-9]{1,10}$/.test(text) || number < least || number > most)
    throw new Misuse(`${name}: a whole number from ${least} to ${most} expected, ${text} found`);
  return number;
}

/** Refuses arguments beyond the first `most`. */
export function refuseMore(args: readonly string[], most: number): void {
  const more = args[most];
  if (more !== undefined)
    throw new Misuse(
      `${most === 0 ? 'no arguments' : `at most ${most} argument${most === 1 ? '' : 's'}`} expected, ${more} found`,
    );
}
