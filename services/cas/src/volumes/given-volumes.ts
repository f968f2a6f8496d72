import type { Session, Volume, VolumeUpdatePolicy, ImageVolume } from '@ensconce/policy/session';
import { substituteSecrets, type Lookup } from '@ensconce/policy/substitution';
import { capAllows, exportedVolume } from '@ensconce/policy/volumes';
import { CasError } from '../errors.ts';
import type { StoredSession } from '../sessions/session-record.ts';
import type { VolumeOwner } from './volume-record.ts';
import type { VolumeTags } from './volume-tags.ts';

/** A volume that a service may use, and how. */
export interface GivenVolume {
  /** In the session of the service. */
  readonly name: string;
  readonly path: string;
  readonly policy: VolumeUpdatePolicy;
  readonly durability: ImageVolume['durability'];
  /** 64 hex digits. */
  readonly key: string;
  /** Where its tag is kept. */
  readonly owner: VolumeOwner;
}

export interface VolumeContext {
  readonly tags: VolumeTags;
  readonly find: (session: string) => StoredSession | undefined;
  /** Binds an import to the session that exports it now; `false` where it was bound to another of that name. */
  readonly bind: (importer: StoredSession, exporter: StoredSession) => Promise<boolean>;
  /** The secrets of a session, for a key that is one of them. */
  readonly lookup: (stored: StoredSession) => Promise<Lookup>;
}

/** The volumes of a service's image with their keys; a key that CAS has to make is durable when this resolves. */
export async function givenVolumes(
  context: VolumeContext,
  stored: StoredSession,
  mounted: readonly ImageVolume[],
): Promise<GivenVolume[]> {
  const given: GivenVolume[] = [];
  for (const { name, path, updatePolicy: policy, durability } of mounted) {
    const { session, volume } = definitionOf(context, stored, name, policy);
    if (session !== stored && !(await context.bind(stored, session))) {
      throw refused(
        `volume ${name}: the session '${session.stored.name}' that this import was bound to expected, another of the same name found`,
      );
    }
    const owner = { session: session.session.name, volume: volume.name };
    const same = given.find(
      (other) => other.owner.session === owner.session && other.owner.volume === owner.volume,
    );
    if (same !== undefined) {
      throw refused(`volume ${name}: one place in an image expected, ${same.path} and ${path} found`);
    }
    given.push({ name, path, policy, durability, owner, key: await keyOf(context, session, volume, owner) });
  }
  return given;
}

/** Where a volume is defined: in the session itself, or in the one that exports it to this one. */
function definitionOf(
  context: VolumeContext,
  stored: StoredSession,
  name: string,
  policy: VolumeUpdatePolicy,
): { readonly session: StoredSession; readonly volume: Volume } {
  const own = stored.session.volumes.find((volume) => volume.name === name);
  if (own === undefined) throw refused(`volume ${name}: an entry in volumes expected, none found`);
  if (own.import === undefined) return { session: stored, volume: own };
  const { from, volume: wanted } = own.import;
  const exporter = context.find(from.session);
  const found = exporter && exportedTo(exporter.session, wanted, stored);
  const rightVersion = from.sessionHash === undefined || from.sessionHash === exporter?.stored.hash;
  if (exporter === undefined || found === undefined || !rightVersion || found.volume.import !== undefined) {
    throw refused(
      `volume ${name}: an export of volume ${wanted} by session '${from.session}' to this one expected, none found`,
    );
  }
  if (!capAllows(found.export.updatePolicy, policy)) {
    throw refused(
      `volume ${name}: its export allows update_policy ${found.export.updatePolicy}, ${policy} found`,
    );
  }
  return { session: exporter, volume: found.volume };
}

function exportedTo(
  exporter: Session,
  name: string,
  importer: StoredSession,
): ReturnType<typeof exportedVolume> {
  return exportedVolume(exporter, name, { name: importer.stored.name, hash: importer.stored.hash });
}

async function keyOf(
  context: VolumeContext,
  session: StoredSession,
  volume: Volume,
  owner: VolumeOwner,
): Promise<string> {
  if (volume.tag !== undefined) await context.tags.adopt(owner, volume.tag);
  if (volume.fspfKey === undefined) return context.tags.key(owner);
  const key = substituteSecrets(volume.fspfKey, await context.lookup(session));
  if (/^[0-9a-fA-F]{64}$/.test(key)) return key.toLowerCase();
  throw refused(`volume ${volume.name}: fspf_key of 64 hexadecimal digits expected, another value found`);
}

const refused = (message: string): CasError => new CasError('CAS_SERVICE_REFUSED', message);
