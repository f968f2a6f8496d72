import { byShape, invalid, transform, type Form } from '../form/form.ts';
import { list, map, optional, required, strict } from '../form/collection.ts';
import { freeText, integer, oneOf, text } from '../form/scalar.ts';
import type { Image, ImageVolume, InjectionFile } from '../session.ts';
import { absolutePath, freeName, hex, orReference, secretName, withReferences } from './names.ts';
import { measurements } from './service.ts';

export const updatePolicy = oneOf(['rollback_protected', 'ephemeral', 'no_rollback_protection']);
const defaultMode = 0o700;

const volumeExtension = map(
  {
    durability: optional(
      oneOf(['settled', 'tag-follows-100ms', 'collected-100ms']),
      'settled (if absent): fsync returns when CAS has the tag. tag-follows-100ms: up to 100 ms before, which a roll-back may take away. collected-100ms: the same, and a full disk is told by fsync or close alone.',
    ),
  },
  'ensconce (volume of an image)',
);

const imageVolume: Form<ImageVolume> = transform(
  map(
    {
      name: required(freeName, 'The entry of volumes.'),
      path: required(absolutePath, 'Where it is mounted.'),
      update_policy: optional(updatePolicy, 'Which older states are accepted; rollback_protected if absent.'),
      ensconce: optional(volumeExtension, 'What the session language itself lacks.'),
    },
    'a volume of an image',
  ),
  ({ name, path, update_policy: policy = 'rollback_protected', ensconce }, node, place) => {
    const durability = ensconce?.durability;
    if (durability !== undefined && policy !== 'rollback_protected') {
      place.error(
        node.offset,
        `durability beside update_policy rollback_protected expected, ${policy} found, whose states CAS is not told`,
      );
      return invalid;
    }
    return {
      name,
      path,
      updatePolicy: policy,
      // The default leaves no trace, so that saying it changes no session's hash.
      durability: durability === 'settled' ? undefined : durability,
    };
  },
);

const injectionFile: Form<InjectionFile> = byShape(
  {
    scalar: transform(absolutePath, (path) => ({ path, mode: defaultMode })),
    map: transform(
      map(
        {
          path: required(absolutePath, 'Where the file appears.'),
          content: strict(
            withReferences(freeText(1_048_576)),
            'Its content; absent: the image’s own file is the template.',
          ),
          permission: optional(
            integer({ min: 0, max: 0o7777, expected: 'permission bits (0o000 to 0o7777)' }),
            'Permission bits; 0o700 if absent.',
          ),
        },
        'an injection file',
      ),
      ({ path, content, permission }) => ({ path, content, mode: permission ?? defaultMode }),
    ),
  },
  'a path or a map with path, content and permission',
);

const layer = map(
  {
    root: required(hex(32), 'Root hash of the sealed layer.'),
    key: required(
      orReference(hex(32)),
      'Its key: 64 hexadecimal digits or a reference with the format :hex.',
    ),
  },
  'a layer',
);
const extension = map(
  { layers: strict(list(layer, { min: 1, of: 'layers' }), 'Sealed layers, lowest first.') },
  'ensconce (image)',
);

export const image: Form<Image> = transform(
  map(
    {
      name: required(freeName, 'Name that services use.'),
      volumes: optional(list(imageVolume, { of: 'volumes' }), 'Volumes and where they are mounted.'),
      injection_files: optional(
        list(injectionFile, { of: 'files' }),
        'Files made in memory before the start.',
      ),
      provide_secrets: strict(
        list(secretName, { of: 'secret names' }),
        'Secrets that templates on disk may use; all if absent.',
      ),
      mrenclaves: strict(
        measurements,
        'Accepted measurements (older form); they restrict the services further.',
      ),
      tags: optional(
        list(text({ expected: 'a tag' }), { of: 'tags' }),
        'No longer used.',
        '`tags` is no longer used and has no effect',
      ),
      ensconce: optional(extension, 'What the session language itself lacks.'),
    },
    'an image',
  ),
  (value) => ({
    name: value.name,
    volumes: value.volumes ?? [],
    injectionFiles: value.injection_files ?? [],
    provideSecrets: value.provide_secrets,
    layers: value.ensconce?.layers ?? [],
    mrenclaves: value.mrenclaves,
  }),
);
