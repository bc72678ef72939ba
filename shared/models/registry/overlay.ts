import { allItems } from '#shared/storage/all-items.ts';
import type { Json, RecordItem, Records } from '#shared/storage/ports.ts';
import { isoTime, type Clock } from '#shared/determinism/clock.ts';

/** The g1 partition that lists every overlay: a model may be known by its overlay alone. */
const LISTING = 'MODELS';

/** A JSON Merge Patch (RFC 7396) of one model's entry. */
export interface Overlay {
  name: string;
  patch: Json;
  version: number;
}

/** RFC 7396: members of the patch replace those of the target, null removes, objects merge, all else replaces. */
export function mergePatch(target: Json | undefined, patch: Json): Json {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const base = target !== null && typeof target === 'object' && !Array.isArray(target) ? target : {};
  const out = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) out.delete(key);
    else out.set(key, mergePatch(out.get(key), value));
  }
  return Object.fromEntries(out);
}

const overlayOf = (item: RecordItem): Overlay => ({
  name: item.pk.slice('MODEL#'.length),
  patch: item.attributes.patch ?? {},
  version: item.version,
});

/** Every overlay, by model name in byte order. */
export async function readOverlays(records: Records): Promise<Overlay[]> {
  const items = await allItems(records, { index: 'g1', pk: LISTING });
  return items.map(overlayOf).sort((a, b) => (a.name < b.name ? -1 : 1));
}

/**
 * Stores the overlay of a model unchecked; `writeOverlay` of the registry checks it first.
 * @param expected the version it replaces (0: there is none yet); `Conflict` when another is there.
 */
export async function putOverlay(
  records: Records,
  clock: Clock,
  overlay: { name: string; patch: Json; by: string; expected: number },
): Promise<Overlay> {
  const item = await records.put(
    {
      pk: `MODEL#${overlay.name}`,
      sk: 'META',
      attributes: { patch: overlay.patch, updatedBy: overlay.by, updatedAt: isoTime(clock.now()) },
      g1: { pk: LISTING, sk: overlay.name },
    },
    overlay.expected === 0 ? { ifAbsent: true } : { ifVersion: overlay.expected },
  );
  return overlayOf(item);
}
