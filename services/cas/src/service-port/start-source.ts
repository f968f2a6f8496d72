import { findService, type Service } from '@ensconce/policy/session';
import type { ResolvedTerms } from '@ensconce/policy/start-terms';
import type { Lookup } from '@ensconce/policy/substitution';
import type { ImageDescription } from '@ensconce/measurement/image';
import { CasError } from '../errors.ts';
import { resolvedSession } from '../sessions/resolved-session.ts';
import type { SecretValues } from '../sessions/secret-values.ts';
import type { StoredSession } from '../sessions/session-record.ts';
import type { Sessions } from '../sessions/sessions.ts';
import type { StartRecord } from '../starts/start-record.ts';
import type { VolumeTags } from '../volumes/volume-tags.ts';
import { configure, lookupIn, secretsFor, type Delivered } from './configure.ts';
import { nameOf, type ConfigId } from './config-id.ts';
import { checkLayers } from './measured-layers.ts';
import type { PreparedConfigurations } from './prepared-configurations.ts';

/** Where a start finds what it is judged by and given: in the stored session, or in the record that was made of it for starts alone. */
export interface StartSource {
  /** Of the session. */
  readonly id: string;
  readonly terms: ResolvedTerms;
  /** For who was accepted: has what the service gets ready to be given. */
  open(program: Program): Promise<OpenedStart>;
}

/** The image that was accepted. */
export interface Program {
  readonly description: ImageDescription;
  /** The image measurement, hex. */
  readonly measurement: string;
  readonly now: Date;
}

export interface OpenedStart {
  /** What references in what whoever starts the service must know stand for. */
  readonly lookup: () => Promise<Lookup>;
  deliver(): Promise<Delivered>;
  /** Throws `CAS_BUSY` unless what was judged is what is given, and still counts: an update may take something back. */
  checkPresent(): void;
}

export interface SourceContext {
  readonly sessions: Sessions;
  readonly values: SecretValues;
  readonly volumeTags: VolumeTags;
  readonly configurations: Pick<PreparedConfigurations, 'of'>;
}

export async function fromSession(
  context: SourceContext,
  found: StoredSession,
  id: ConfigId,
): Promise<StartSource> {
  const { sessions, values } = context;
  const resolved = await resolvedSession(sessions, found, values);
  return {
    id: found.id,
    terms: resolved,
    open: async ({ description, measurement, now }) => {
      const service = findService(resolved.session, id.service);
      const texts = admissionTexts(resolved, service);
      const { stored, secrets, names } = await secretsFor(values, found, service, texts);
      return {
        lookup: () => lookupIn({ now, measurement }, stored.session, secrets, names),
        deliver: () =>
          context.configurations.of(
            {
              stored,
              secrets,
              service,
              description,
              measurement,
              values,
              now,
              volumes: {
                tags: context.volumeTags,
                find: (session) => sessions.find(session),
                bind: (importer, exporter) => values.bind(importer, exporter),
              },
            },
            configure,
          ),
        checkPresent: () => {
          const { name, hash } = found.stored;
          if (stored.stored.hash !== hash || !sessions.isPresent(name, { hash })) throw updated(name);
        },
      };
    },
  };
}

/** References to secrets are in no record: what asks for one is not satisfied. */
export function fromRecord(
  { sessions }: Pick<SourceContext, 'sessions'>,
  record: StartRecord,
  id: ConfigId,
): StartSource {
  const { terms, layers, configuration, released } = record;
  return {
    id: record.id,
    terms: { session: terms, unresolved: [] },
    open: ({ description }) =>
      Promise.resolve({
        lookup: () => Promise.resolve(() => undefined),
        deliver: () => {
          const [image] = terms.images;
          checkLayers(layers, description, image?.name ?? '', nameOf(id));
          return Promise.resolve({ configuration, volumes: [], released });
        },
        checkPresent: () => {
          if (!sessions.isPresent(id.session, record)) throw updated(id.session);
        },
      }),
  };
}

/** Where references to what whoever starts the service must know may stand. */
function admissionTexts({ session: { security } }: ResolvedTerms, service: Service): readonly string[] {
  const { serviceAccessToken = '', attestation } = security;
  return [
    serviceAccessToken,
    service.oneTimePasswordSharedSecret ?? attestation.oneTimePasswordSharedSecret ?? '',
  ];
}

function updated(name: string): CasError {
  return new CasError(
    'CAS_BUSY',
    `session '${name}': one that stays as it is expected, it was updated meanwhile`,
    {
      hint: 'start the service again',
    },
  );
}
