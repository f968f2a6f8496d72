import { readFileSync, statSync } from 'node:fs';
import { InvalidArgumentError, Option, type Command } from 'commander';
import type { Problem } from '@ensconce/policy/problem';
import { maxSessionBytes, parseSession } from '@ensconce/policy/parse';
import type { Creator, Session } from '@ensconce/policy/session';
import { templateSession } from '@ensconce/policy/template';
import { fromUtf8 } from '@ensconce/base/bytes';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { printable } from '../output/printable.ts';

export interface TemplateOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly useEnv?: true;
}

/** A session file after templating: the text to send, and what it says. */
export interface SessionFile {
  readonly text: string;
  readonly session: Session;
  readonly warnings: readonly Problem[];
}

/** Adds -e and --use-env. */
export function withTemplateOptions(command: Command): Command {
  return command
    .addOption(
      new Option('-e, --env <NAME=value>', 'a value for $NAME in the file; may be repeated')
        .argParser((entry: string, before: Record<string, string>) => {
          const at = entry.indexOf('=');
          if (at < 1) throw new InvalidArgumentError('NAME=value expected.');
          return { ...before, [entry.slice(0, at)]: entry.slice(at + 1) };
        })
        .default({}, 'none'),
    )
    .option('--use-env', 'take values for $NAME from the environment too');
}

/** The values for `$NAME` that the command line gives. */
export function templateVariables(io: Io, options: TemplateOptions): Record<string, string> {
  return { ...(options.useEnv === true ? definedIn(io.environment) : {}), ...options.env };
}

export function readSessionText(file: string): string {
  let bytes: Uint8Array;
  let size = 0;
  try {
    size = file === '-' ? 0 : statSync(file).size;
    bytes = size > maxSessionBytes ? new Uint8Array() : readFileSync(file === '-' ? 0 : file);
  } catch (cause) {
    throw new CliError('CLI_FILE', `${file}: a readable file expected`, { cause });
  }
  if (size > maxSessionBytes) {
    throw new CliError(
      'CLI_SESSION',
      `${file}: a session of at most ${maxSessionBytes} bytes expected, ${size} found`,
    );
  }
  try {
    return fromUtf8(bytes);
  } catch (cause) {
    throw new CliError('CLI_FILE', `${file}: UTF-8 text expected, other bytes found`, { cause });
  }
}

/** Everything that is wrong with a file or worth a warning, and the result where nothing is wrong. */
export function examineSession(
  io: Io,
  file: string,
  options: TemplateOptions,
): { readonly problems: readonly Problem[]; readonly result: SessionFile | undefined } {
  return examineText(io, readSessionText(file), options);
}

function examineText(
  io: Io,
  written: string,
  options: TemplateOptions,
): { readonly problems: readonly Problem[]; readonly result: SessionFile | undefined } {
  const variables = templateVariables(io, options);
  // The text as it was written, so that problems stand where its author sees them.
  const { session, problems } = parseSession(written, { variables });
  const { text } = templateSession(written, variables);
  return {
    problems,
    result: session === undefined || text === undefined ? undefined : { text, session, warnings: problems },
  };
}

/** The session in a file, or an error that names its first problem; warnings go to stderr. */
export function loadSession(io: Io, file: string, options: TemplateOptions): SessionFile {
  return loadSessionText(io, file, readSessionText(file), options);
}

/** The same of a text that was read already. */
export function loadSessionText(io: Io, file: string, source: string, options: TemplateOptions): SessionFile {
  const { problems, result } = examineText(io, source, options);
  if (result === undefined) {
    const errors = problems.filter((problem) => problem.severity === 'error');
    const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
    throw new CliError('CLI_SESSION', `${problemLine(file, errors[0])}${more}`, {
      hint: `ensconce session check ${file} lists all of it`,
    });
  }
  for (const warning of result.warnings) io.stderr(`warning: ${problemLine(file, warning)}\n`);
  return result;
}

export function problemLine(file: string, problem: Problem | undefined): string {
  if (problem === undefined) return `${file}: a session expected`;
  const suggestion = problem.suggestion === undefined ? '' : ` (${problem.suggestion})`;
  return printable(`${file}:${problem.line}:${problem.column}: ${problem.message}${suggestion}`);
}

/** Puts a predecessor into the text of a session, in place of one that is empty, and holds the result against what was meant. */
export function insertPredecessor(file: SessionFile, predecessor: string): SessionFile {
  if (file.session.predecessor !== undefined) return file;
  const placed = insertMember(file, 'predecessor', predecessor);
  return placed.session.predecessor === predecessor ? placed : noPlace('predecessor', predecessor);
}

/** Puts the signer who begins a session into the text of one that names no creator. */
export function insertCreator(file: SessionFile, signer: Creator): SessionFile {
  if (file.session.creator !== undefined) return file;
  const lines = signer.pem.trimEnd().split('\n');
  const value = `\n  signer: |\n${lines.map((line) => `    ${line}`).join('\n')}`;
  const placed = insertMember(file, 'creator', value);
  return placed.session.creator?.keyHash === signer.keyHash ? placed : noPlace('creator', value);
}

/** A member in place of an empty one, else in front of the name. */
function insertMember(file: SessionFile, name: string, value: string): SessionFile {
  const line = `${name}:${value.startsWith('\n') ? '' : ' '}${value}`;
  const empty = new RegExp(`^${name}[ \\t]*:[ \\t]*(?:~|null)?[ \\t]*(?:#.*)?$`, 'm');
  const text = empty.test(file.text)
    ? file.text.replace(empty, () => line)
    : file.text.replace(/^(?=name[ \t]*:)/m, () => `${line}\n`);
  const { session } = parseSession(text);
  return session === undefined ? noPlace(name, value) : { ...file, text, session };
}

function noPlace(name: string, value: string): never {
  throw new CliError('CLI_SESSION', `session: a place for the ${name} expected in the file, none found`, {
    hint: `write the line "${name}: ${value}" into it yourself`,
  });
}

function definedIn(environment: Io['environment']): Record<string, string> {
  const entries = Object.entries(environment).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  );
  return Object.fromEntries(entries);
}
