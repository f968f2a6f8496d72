/** Synthetic personal data: nobody's, always the same, and easy to find again in a blob that should not hold it. */
const firstNames = [
  'Marigold',
  'Thaddeus',
  'Ottoline',
  'Barnaby',
  'Seraphina',
  'Ignatius',
  'Philippa',
  'Lysander',
];
const lastNames = [
  'Featherstonehaugh',
  'Quillfeather',
  'Thistlewaite',
  'Brackenbury',
  'Wolstenholme',
  'Pendragon',
];
const wards = ['cardiology', 'neurology', 'oncology', 'orthopaedics', 'paediatrics'];
const diagnoses = ['angina', 'asthma', 'fracture', 'migraine', 'lymphoma', 'scoliosis', 'diabetes'];

/** `rows` lines of name, insurance number, birth year and so on, from a small fixed generator. */
export function patientsCsv(rows = 400): string {
  let state = 20240101;
  const next = (bound: number): number => {
    // A linear congruential generator: the data only has to look varied.
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * bound);
  };
  const pick = (list: readonly string[]): string => list[next(list.length)] as string;
  const lines = ['id,name,insurance,age,ward,diagnosis,nights,phone'];
  for (let id = 1; id <= rows; id += 1) {
    const name = `${pick(firstNames)} ${pick(lastNames)}-${id}`;
    const insurance = `HELIOTROPE-${String(100_000 + next(900_000))}-${String(id).padStart(4, '0')}`;
    const phone = `+49 30 5550 ${String(1000 + next(9000))}`;
    lines.push([id, name, insurance, next(99), pick(wards), pick(diagnoses), 1 + next(20), phone].join(','));
  }
  return `${lines.join('\n')}\n`;
}

/** Texts of the data above that stand for all of it. */
export const patientMarkers: readonly string[] = [
  'Featherstonehaugh',
  'Quillfeather',
  'Thistlewaite',
  'HELIOTROPE-',
  '+49 30 5550',
];
