import { ImageError } from './errors.ts';
import type { ImageConfig } from './schemas.ts';

/** How the original program was to be started. It moves into the policy. */
export interface OriginalConfig {
  /** Entry point and arguments, as one list. */
  readonly command: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly workingDirectory: string;
  /** As in the original: `uid[:gid]` or names; empty means root. */
  readonly user: string;
}

/** What a caller says instead of the image. */
export interface ConfigOverrides {
  /** Replaces the entry point, and drops the arguments of the image. */
  readonly entrypoint?: readonly string[];
  /** Replaces the arguments of the image. */
  readonly command?: readonly string[];
  /** Added to the environment; wins over the image's. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly workingDirectory?: string;
  readonly user?: string;
}

/** The program of the runtime that the engine starts. */
const launcher = '/.ensconce/runtime/bin/launch';

/** Engines add it where an image has none (containerd, runc's callers, Docker alike). */
const defaultPath = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What an engine would have started, from an untrusted image configuration. */
export function originalConfig(config: ImageConfig, overrides: ConfigOverrides = {}): OriginalConfig {
  const own = config.config ?? {};
  if (own.Entrypoint?.[0] === launcher) {
    throw new ImageError('IMAGE_CONFIDENTIAL', 'image: a native image expected, a confidential one found', {
      hint: 'transform the image that this one was made from',
    });
  }
  const entrypoint = overrides.entrypoint ?? own.Entrypoint ?? [];
  const argumentsOf = overrides.command ?? (overrides.entrypoint === undefined ? own.Cmd : undefined) ?? [];
  const command = [...entrypoint, ...argumentsOf];
  if (command.length === 0) {
    throw new ImageError('IMAGE_COMMAND', 'image: an entry point or a command expected, neither found', {
      hint: 'name the program to start with --command',
    });
  }
  const environment: Record<string, string> = Object.create(null) as Record<string, string>;
  environment['PATH'] = defaultPath;
  for (const variable of own.Env ?? []) {
    const equals = variable.indexOf('=');
    const name = equals < 0 ? variable : variable.slice(0, equals);
    if (name === '') continue;
    environment[name] = equals < 0 ? '' : variable.slice(equals + 1);
  }
  const workingDirectory = overrides.workingDirectory ?? (own.WorkingDir || '/');
  if (!workingDirectory.startsWith('/')) {
    throw new ImageError(
      'IMAGE_COMMAND',
      `image: an absolute working directory expected, ${JSON.stringify(workingDirectory)} found`,
      { hint: 'set WORKDIR to an absolute path' },
    );
  }
  return {
    command,
    environment: { ...environment, ...overrides.environment },
    workingDirectory,
    user: overrides.user ?? own.User ?? '',
  };
}

/** Variables that the runtime reads from its host; an image may carry defaults of them. None is secret. */
export interface RuntimeEnvironment {
  readonly SCONE_CAS_ADDR?: string;
  readonly SCONE_LAS_ADDR?: string;
  readonly SCONE_CONFIG_ID?: string;
}

/** A signal name or number; anything else is not copied from the original. */
const signal = /^(?:SIG)?[A-Z][A-Z0-9+-]{1,11}$|^[0-9]{1,2}$/;

/**
 * The configuration of the confidential image: all of it is the runtime's, except the stop signal, which the engine
 * must know to end the program as its author meant.
 */
export function confidentialConfig(options: {
  readonly original: ImageConfig;
  readonly diffIds: readonly string[];
  readonly environment: RuntimeEnvironment;
}): object {
  const { original, diffIds, environment } = options;
  const names = ['SCONE_CAS_ADDR', 'SCONE_LAS_ADDR', 'SCONE_CONFIG_ID'] as const;
  const env = names.flatMap((name) =>
    environment[name] === undefined ? [] : [`${name}=${environment[name]}`],
  );
  const stopSignal = original.config?.StopSignal;
  return {
    created: '1970-01-01T00:00:00Z',
    architecture: original.architecture,
    os: original.os,
    config: {
      User: '0:0',
      Entrypoint: [launcher],
      WorkingDir: '/',
      ...(env.length > 0 && { Env: env }),
      ...(stopSignal && signal.test(stopSignal) && { StopSignal: stopSignal }),
    },
    rootfs: { type: 'layers', diff_ids: diffIds },
  };
}

/** What the transform did with the parts of the original's configuration; names only, never values. */
export interface ConfigChanges {
  readonly movedToPolicy: readonly string[];
  readonly removed: readonly string[];
  readonly kept: readonly string[];
}

export function configChanges(original: ImageConfig, annotations: number): ConfigChanges {
  const own = original.config ?? {};
  const count = (value: object | null | undefined) => Object.keys(value ?? {}).length;
  const listed = (number: number, what: string) => (number > 0 ? [`${what} (${number})`] : []);
  return {
    movedToPolicy: [
      'command',
      'user',
      'working directory',
      ...listed(count(own.Env), 'environment variables'),
    ],
    removed: [
      ...listed(count(own.Labels), 'labels'),
      ...listed(original.history?.length ?? 0, 'history entries'),
      ...listed(annotations, 'annotations'),
      ...listed(count(own.ExposedPorts), 'exposed ports'),
      ...listed(count(own.Volumes), 'volume declarations'),
      ...listed(count(own.OnBuild), 'build triggers'),
      ...(own.Healthcheck === undefined ? [] : ['health check']),
      ...(original.author ? ['author'] : []),
    ],
    kept: own.StopSignal && signal.test(own.StopSignal) ? ['stop signal'] : [],
  };
}
