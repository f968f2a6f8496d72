import { SecretsError } from '@ensconce/secrets/errors';
import type { Party } from '@ensconce/secrets/export';
import { resolveImports, type ImportSource } from '@ensconce/secrets/imports';
import { neededSecrets } from '@ensconce/secrets/needed';
import type { StoredSecret } from '@ensconce/secrets/stored';
import { Trail } from '@ensconce/secrets/trail';
import { between } from './bindings.ts';
import { partyOf, type StoredSession } from './session-record.ts';
import type { Sessions } from './sessions.ts';

/**
 * What a session imports under these names from others of this CAS, as it stands: nobody else is asked, and nothing is made,
 * renewed or bound. What cannot be had so is left out.
 */
export async function presentImports(
  sessions: Sessions,
  importer: StoredSession,
  names: ReadonlySet<string>,
): Promise<Readonly<Record<string, StoredSecret>>> {
  const resolve = async (
    party: Party,
    needed: ReadonlySet<string>,
    trail: Trail,
  ): Promise<Readonly<Record<string, StoredSecret>>> =>
    (await resolveImports(party, needed, source, trail)).values;
  const source: ImportSource = {
    find: (name, party) => {
      const found = sessions.find(name);
      if (found === undefined) return undefined;
      const exporter = partyOf(found);
      return between(party, exporter).every((binding) => sessions.allows(binding)) ? exporter : undefined;
    },
    here: async (exporter, secret, _importer, trail) => {
      const found = sessions.find(exporter.session.name);
      if (found === undefined) return { version: 1, secrets: {} };
      const further = await resolve(exporter, neededSecrets(found.session, [secret]), trail);
      return { version: 1, secrets: { ...further, ...found.secrets.secrets } };
    },
    elsewhere: () =>
      Promise.reject(
        new SecretsError('SECRETS_UNAVAILABLE', 'a value of this CAS expected, one of another asked for'),
      ),
  };
  return resolve(partyOf(importer), names, Trail.begin('', 0));
}
