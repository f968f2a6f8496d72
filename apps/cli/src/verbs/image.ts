import { InvalidArgumentError } from 'commander';
import { postSession } from '@ensconce/api/client';
import { parseReference } from '@ensconce/image/reference';
import { sessionFor, sessionYaml } from '@ensconce/image/session';
import { transformImage, type Progress, type TransformResult } from '@ensconce/image/transform';
import { splitCommand } from '@ensconce/policy/command';
import { CliError } from '../errors.ts';
import type { Io } from '../io.ts';
import { writeResult } from '../output/result.ts';
import { writeWhole } from '../output/write-file.ts';
import { attestedCasOf, withCas } from '../state/attested-cas.ts';
import { familySecret } from '../state/family-secret.ts';
import { runtimeLayer } from '../state/runtime-layer.ts';
import type { Verb } from '../verb.ts';

interface Options {
  readonly from: string;
  readonly to: string;
  readonly name: string;
  readonly serviceName: string;
  readonly session?: string;
  readonly upload?: true;
  readonly cas?: string;
  readonly casService?: string;
  readonly command?: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly user?: string;
  readonly dir?: string;
  readonly hostPath: readonly string[];
  readonly familySecret?: string;
  readonly runtime?: string;
  readonly json?: true;
}

const mebibyte = 1_048_576;
const inMebibytes = (bytes: number): string => `${(bytes / mebibyte).toFixed(1)} MiB`;

function showProgress(io: Io): (progress: Progress) => void {
  let last = -1;
  return ({ stage, done, total }) => {
    if (stage !== 'seal' && stage !== 'reuse') return;
    const percent = total === 0 ? 100 : Math.floor((done / total) * 10) * 10;
    if (percent === last) return;
    last = percent;
    io.stderr(`image: sealed ${percent} % of ${inMebibytes(total)}\n`);
  };
}

function words(result: TransformResult, options: Options): string {
  const { sizes, whatChanged } = result;
  const reused = result.layers.filter((layer) => layer.reused).length;
  return [
    `measurement: ${result.measurement}`,
    `image:       ${options.to} (${result.manifestDigest})`,
    `sealed:      ${result.layers.length} layers, ${inMebibytes(sizes.original)} compressed before, ${inMebibytes(sizes.sealed)} sealed now${reused > 0 ? `, ${reused} reused` : ''}`,
    `runtime:     ${inMebibytes(sizes.runtime)}, shared by all images`,
    `moved into the policy: ${whatChanged.movedToPolicy.join(', ') || 'nothing'}`,
    `removed:     ${whatChanged.removed.join(', ') || 'nothing'}`,
    ...(options.session === undefined
      ? []
      : [`session:     ${options.session} (secret: it holds the layer keys)`]),
  ].join('\n');
}

const collect = (text: string, before: readonly string[]): readonly string[] => [...before, text];

function pair(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const at = text.indexOf('=');
  if (at < 1) throw new InvalidArgumentError('NAME=value expected.');
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) };
}

function split(line: string): readonly string[] {
  const result = splitCommand(line);
  if ('message' in result) throw new InvalidArgumentError(`${result.message}.`);
  return result;
}

export const image: Verb = {
  name: 'image',
  summary: 'turn a container image into a confidential one, and write the session that lets it run',
  examples: [
    'ensconce image --from oci:./native --to oci:./confidential --name demo --session session.yml',
    'ensconce image --from oci:./native:v2 --to oci:./confidential:v2 --name team/report --upload',
    'ensconce image --from oci:./native --to oci:./confidential --name demo --session s.yml --command "python3 /app/main.py @@1"',
  ],
  define(command, io) {
    command
      .requiredOption('--from <image>', 'the image to protect, oci:DIR[:TAG]')
      .requiredOption('--to <image>', 'where the confidential image goes, oci:DIR[:TAG]')
      .requiredOption('--name <session>', 'name of the session')
      .option('--service-name <name>', 'name of the service in it', 'app')
      .option('--session <file>', 'write the session there; it holds the layer keys')
      .option('--upload', 'create the session at CAS')
      .option(
        '-c, --cas <address>',
        'the attested CAS that the image obeys; by default the one attested last',
      )
      .option('--cas-service <address>', "the default of the image for CAS's service port")
      .option('--command <command>', 'start this instead of what the image says; policy language', split)
      .option('-e, --env <NAME=value>', 'add to the environment; may be repeated; policy language', pair, {})
      .option('--user <user>', 'run as this user instead of the one that the image says')
      .option('--dir <path>', 'start in this folder instead of the one that the image says')
      .option('--host-path <path>', 'a file of the host that the program may see; may be repeated', collect, [
        '/etc/resolv.conf',
        '/etc/hosts',
        '/etc/hostname',
      ])
      .option('--family-secret <file>', '32 bytes from which layer keys derive; by default kept in ~/.cas')
      .option('--runtime <file>', 'description of another runtime layer than the one that setup built')
      .option('--json', 'write JSON')
      .action(async (options: Options) => {
        if (options.session === undefined && options.upload !== true) {
          throw new CliError(
            'CLI_USAGE',
            '--session FILE or --upload expected: without its session nobody can start the image',
          );
        }
        const { entry, address } = attestedCasOf(io, options.cas);
        const runtime = runtimeLayer(options.runtime);
        if (!runtime.released) io.stderr('warning: the runtime layer is a development build\n');
        const configId = `${options.name}/${options.serviceName}`;
        const result = await transformImage({
          from: parseReference(options.from),
          to: parseReference(options.to),
          runtime: {
            ...runtime.layer,
            runtimeDigest: runtime.runtimeDigest,
            architecture: runtime.architecture,
          },
          casIdentity: entry.identity,
          casSimulated: entry.simulated,
          familySecret: familySecret(io, options.familySecret),
          overrides: {
            environment: options.env,
            ...(options.command && { entrypoint: options.command }),
            ...(options.user !== undefined && { user: options.user }),
            ...(options.dir !== undefined && { workingDirectory: options.dir }),
          },
          runtimeEnvironment: {
            SCONE_CONFIG_ID: configId,
            SCONE_CAS_ADDR: options.casService ?? address.host,
          },
          onProgress: showProgress(io),
          signal: io.signal,
        });
        const session = sessionYaml(
          sessionFor(result, {
            name: options.name,
            service: options.serviceName,
            acceptSimulation: entry.simulated,
            hostFiles: options.hostPath,
          }),
        );
        if (options.session !== undefined) writeWhole(options.session, session);
        const uploaded =
          options.upload === true
            ? await withCas(io, options.cas, (cas) => postSession(cas, session))
            : undefined;
        writeResult(
          io,
          options,
          {
            measurement: result.measurement,
            image: options.to,
            manifestDigest: result.manifestDigest,
            configId,
            sizes: { ...result.sizes },
            layers: result.layers.map(({ root, digest, size, reused }) => ({ root, digest, size, reused })),
            sessionHash: uploaded?.hash,
          },
          () => `${words(result, options)}${uploaded ? `\nsession hash: ${uploaded.hash}` : ''}`,
        );
      });
  },
};
