import { byShape, invalid, transform, type Form } from '../form/form.ts';
import { map, oneOrList, optional, required, strict } from '../form/collection.ts';
import { oneOf } from '../form/scalar.ts';
import type { Volume, VolumeExport } from '../session.ts';
import { updatePolicy } from './image.ts';
import {
  combineReference,
  freeName,
  hex,
  orReference,
  sessionReference,
  sessionReferenceFields,
  sessionReferenceText,
} from './names.ts';

const exportMap: Form<VolumeExport> = transform(
  map(
    {
      to: optional(sessionReference, 'The session that may import.'),
      session: optional(sessionReferenceText, 'The session that may import.'),
      session_hash: strict(hex(32), 'The only version of that session that may import.'),
      update_policy: optional(updatePolicy, 'The weakest policy that the importer may use.'),
      volume_alias: optional(freeName, 'The name by which the importer knows it.'),
    },
    'a volume export',
  ),
  (value, node, place) => {
    const { to, session, session_hash: sessionHash } = value;
    if ((to === undefined) === (session === undefined) || (to !== undefined && sessionHash !== undefined)) {
      place.error(node.offset, '`session`, or `to` with `session` in it, expected, both or none found');
      return invalid;
    }
    const target =
      to ?? (session ? combineReference({ session, session_hash: sessionHash }, node, place) : invalid);
    if (target === invalid) return invalid;
    return {
      to: target,
      updatePolicy: value.update_policy ?? 'rollback_protected',
      volumeAlias: value.volume_alias,
    };
  },
);
const volumeExport = byShape(
  {
    scalar: transform(sessionReferenceText, (to) => ({ to, updatePolicy: 'rollback_protected' as const })),
    map: exportMap,
  },
  'a volume export',
);
const volumeImport = transform(
  map({ ...sessionReferenceFields, volume: required(freeName, 'The volume there.') }, 'a volume import'),
  (value, node, place) => {
    const from = combineReference(value, node, place);
    if (from === invalid) return invalid;
    if (from.casUrl !== undefined) {
      place.error(
        node.offset,
        'a session of the same CAS expected (volumes cannot be imported from another), a remote one found',
      );
      return invalid;
    }
    return { from, volume: value.volume };
  },
);

export const volume: Form<Volume> = transform(
  map(
    {
      name: required(freeName, 'Name that images use.'),
      fspf_key: optional(orReference(hex(32)), 'The volume key; CAS makes one if absent.'),
      fspf_tag: optional(orReference(hex(16)), 'Tag of an existing volume in SCONE’s own format.'),
      files: optional(
        oneOf(['encrypted', 'authenticated-only']),
        'Protection of the files; encrypted if absent.',
      ),
      export: optional(oneOrList(volumeExport, { of: 'exports' }), 'Sessions that may import this volume.'),
      import: strict(volumeImport, 'Where this volume comes from.'),
      ensconce: optional(
        map(
          { tag: optional(hex(32), 'Tag of an existing volume, as `ensconce volume show` prints it.') },
          'ensconce (volume)',
        ),
        'What the session language itself lacks.',
      ),
    },
    'a volume',
  ),
  (value, node, place) => {
    const { fspf_key: key, fspf_tag: tag } = value;
    const own = value.ensconce?.tag;
    if (key === undefined && (tag !== undefined || own !== undefined)) {
      place.error(node.offset, 'fspf_key beside a tag expected, the tag alone found');
    }
    if (value.import && (key !== undefined || value.files !== undefined)) {
      place.error(node.offset, 'import, or fspf_key, fspf_tag and files, expected, both found');
    }
    return {
      name: value.name,
      fspfKey: key,
      fspfTag: tag,
      tag: own,
      files: value.files ?? 'encrypted',
      export: value.export ?? [],
      import: value.import,
    };
  },
);
