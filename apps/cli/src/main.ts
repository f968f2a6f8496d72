import { Command, CommanderError } from 'commander';
import { ApiError } from '@ensconce/api/errors';
import { exitCodeHelp, exitCodeOf, exitCodes, ExitStatus } from './exit-codes.ts';
import type { Io } from './io.ts';
import { errorLines } from './output/error-lines.ts';
import { groups, type Verb } from './verb.ts';
import { verbs } from './verbs.ts';

/** The whole command tree, from the table of verbs. */
export function program(io: Io, table: readonly Verb[] = verbs): Command {
  const root = new Command('ensconce');
  root
    .description('Confidential containers: attested at every start, encrypted at rest, in flight and in use.')
    .version('0.1.0', '--version', 'show the version');
  quiet(root, io);
  for (const verb of table) {
    const words = verb.name.split(' ');
    const last = words.pop() as string;
    let parent = root;
    for (const word of words) parent = groupOf(parent, word, io);
    const command = parent.command(last).description(verb.summary);
    quiet(command, io);
    const examples = verb.examples.map((example) => `  ${example}`).join('\n');
    command.addHelpText('after', `\nExamples:\n${examples}\n\n${verb.exitCodes ?? exitCodeHelp}`);
    verb.define(command, io);
  }
  return root;
}

function groupOf(parent: Command, word: string, io: Io): Command {
  const found = parent.commands.find((command) => command.name() === word);
  if (found !== undefined) return found;
  const group = parent.command(word).description(groups[word] ?? '');
  quiet(group, io);
  return group;
}

function quiet(command: Command, io: Io): void {
  command
    .exitOverride()
    .showHelpAfterError('hint: --help shows what is expected')
    .configureOutput({ writeOut: io.stdout, writeErr: io.stderr });
}

/** Runs one command line; returns the exit code and never throws. */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  try {
    await program(io).parseAsync([...argv], { from: 'user' });
    return exitCodes.ok;
  } catch (error) {
    if (error instanceof ExitStatus) return error.status;
    if (error instanceof CommanderError) {
      return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    }
    if (io.signal.aborted && wasInterrupted(error)) {
      io.stderr('interrupted\n');
      return exitCodes.interrupted;
    }
    io.stderr(errorLines(error));
    return exitCodeOf(error);
  }
}

/** Whether an error came of Ctrl-C; what fails while stopping is an error like any other. */
function wasInterrupted(error: unknown): boolean {
  if (error instanceof ApiError) return error.code === 'API_UNREACHABLE';
  return error instanceof Error && error.name === 'AbortError';
}
