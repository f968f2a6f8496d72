import { constants } from 'node:os';
import { RuntimeError } from './errors.ts';

/** Exit codes of a container whose application never ran (docs/reference/exit-codes.md), as those of `docker run`. */
export const startFailed = 125;
const notRunnable = 126;
const notFound = 127;

const hints: Readonly<Record<string, string>> = {
  proc: 'in a user namespace the engine must leave /proc unmasked (podman: --security-opt unmask=ALL)',
  namespaces: 'the container needs CAP_SYS_ADMIN, or a user namespace with it',
  'bounding-set': 'the container needs CAP_SETPCAP, which engines give by default',
  uid: 'in a user namespace of one uid only images that run as root start; give the container a full map (hostUsers: false)',
  gid: 'in a user namespace of one gid only images that run as root start; give the container a full map (hostUsers: false)',
  groups: 'the container needs CAP_SETGID, which engines give by default',
};

export interface StartFailure {
  readonly error: RuntimeError;
  readonly status: number;
}

/**
 * What a report of launch/init.c means ("step errno"), and the exit code that goes with it. `program` is the first word
 * of the command.
 */
export function startFailure(program: string, report: string): StartFailure {
  const [step = '', number = ''] = report.trim().split(' ');
  const errno =
    Object.entries(constants.errno).find(([, value]) => String(value) === number)?.[0] ?? `errno ${number}`;
  if (step === 'exec') {
    const missing = errno === 'ENOENT';
    return {
      error: new RuntimeError(
        'APPLICATION_START',
        `command: a program of the image expected, ${JSON.stringify(program)} ${missing ? 'or its interpreter is not in it' : `cannot be run: ${errno}`}`,
        { hint: "the policy's `command` names it; PATH is the policy's too" },
      ),
      status: missing ? notFound : notRunnable,
    };
  }
  return {
    error: new RuntimeError('APPLICATION_START', `starting the application failed at ${step}: ${errno}`, {
      hint: hints[step],
    }),
    status: startFailed,
  };
}
