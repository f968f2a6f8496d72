import { stringify } from 'yaml';
import { ImageError } from './errors.ts';
import type { TransformResult } from './transform.ts';

export interface SessionOptions {
  /** Name of the session, with its namespace where it has one. */
  readonly name: string;
  /** Name of the service. */
  readonly service: string;
  readonly acceptSimulation: boolean;
  /** Files of the host that the program sees (`/etc/resolv.conf`). */
  readonly hostFiles?: readonly string[];
  /** Capabilities (`CAP_…`); absent: the engine's default set. */
  readonly capabilities?: readonly string[];
  /** `access_policy` of the session; absent: CAS's default, the creator alone. */
  readonly accessPolicy?: Readonly<Record<string, readonly string[]>>;
}

/**
 * Text that the image's author wrote must not mean something in a policy: the session language has no escape for its
 * variables, so such text is refused rather than changed.
 */
function literal(text: string, what: string): string {
  if (text.includes('$$SCONE::') || /@@\d|\\@\\@/.test(text)) {
    throw new ImageError(
      'IMAGE_TEXT',
      `image: ${what}: text without "$$SCONE::" and "@@N" expected, ${JSON.stringify(text.slice(0, 80))} found`,
      {
        hint: 'name the command or variable yourself, with --command or --env, where the policy language is meant',
      },
    );
  }
  if (text.includes('\0')) throw new ImageError('IMAGE_TEXT', `image: ${what}: text without NUL expected`);
  return text;
}

function command(result: TransformResult): string[] {
  const { overrides, config } = result;
  const own = (overrides.entrypoint?.length ?? 0) + (overrides.command?.length ?? 0);
  // What the caller gives is policy language; it stands first (entry point) and last (command).
  const first = overrides.entrypoint?.length ?? 0;
  const last = config.command.length - (overrides.command?.length ?? 0);
  return config.command.map((argument, i) =>
    own > 0 && (i < first || i >= last) ? argument : literal(argument, `argument ${i}`),
  );
}

function environment(result: TransformResult): Record<string, string> {
  const own = result.overrides.environment ?? {};
  return Object.fromEntries(
    Object.entries(result.config.environment).map(([name, value]) =>
      Object.hasOwn(own, name)
        ? [name, value]
        : [literal(name, 'an environment variable'), literal(value, `environment variable ${name}`)],
    ),
  );
}

/**
 * The policy under which the transformed image runs, for the session language 0.3. It holds the layer keys, so it is
 * secret until CAS has it.
 */
export function sessionFor(result: TransformResult, options: SessionOptions): object {
  const image = `${options.service}_image`;
  const layers = result.layers.map(({ root }, i) => ({ root, key: `$$SCONE::layer_key_${i}:hex$$` }));
  return {
    name: options.name,
    version: '0.3.12',
    ...(options.accessPolicy && { access_policy: options.accessPolicy }),
    services: [
      {
        name: options.service,
        image_name: image,
        command: command(result),
        environment: environment(result),
        pwd: literal(result.config.workingDirectory, 'working directory'),
        attestation: [{ mrenclave: [result.measurement] }],
        ensconce: {
          user: literal(result.config.user, 'user'),
          ...(options.hostFiles && { host_files: options.hostFiles }),
          ...(options.capabilities && { capabilities: options.capabilities }),
        },
      },
    ],
    images: [{ name: image, ensconce: { layers } }],
    secrets: result.layers.map(({ keyHex }, i) => ({
      name: `layer_key_${i}`,
      kind: 'binary',
      value: keyHex,
    })),
    ensconce: { accept_simulation: options.acceptSimulation },
  };
}

/** The session as YAML. */
export function sessionYaml(session: object): string {
  // Quoted, so that no reader takes `1000:1000` or hexadecimal digits for a number.
  return stringify(session, { lineWidth: 0, defaultStringType: 'QUOTE_DOUBLE', defaultKeyType: 'PLAIN' });
}
