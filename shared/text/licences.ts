/** SPDX identifiers that documents and code are commonly under. */
const SPDX =
  `0BSD AFL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-2.0 Artistic-2.0 BSD-2-Clause BSD-3-Clause BSL-1.0
CC0-1.0 CC-BY-1.0 CC-BY-2.0 CC-BY-2.5 CC-BY-3.0 CC-BY-4.0 CC-BY-NC-2.0 CC-BY-NC-3.0 CC-BY-NC-4.0 CC-BY-NC-ND-3.0
CC-BY-NC-ND-4.0 CC-BY-NC-SA-2.0 CC-BY-NC-SA-3.0 CC-BY-NC-SA-4.0 CC-BY-ND-3.0 CC-BY-ND-4.0 CC-BY-SA-2.0 CC-BY-SA-2.5
CC-BY-SA-3.0 CC-BY-SA-4.0 CC-PDDC CDLA-Permissive-1.0 CDLA-Permissive-2.0 CDLA-Sharing-1.0 ECL-2.0 EPL-2.0 EUPL-1.2
GFDL-1.2-only GFDL-1.3-only GFDL-1.3-or-later GPL-2.0-only GPL-2.0-or-later GPL-3.0-only GPL-3.0-or-later ISC
LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0-only LGPL-3.0-or-later MIT MIT-0 MPL-2.0 MS-PL NCSA ODbL-1.0 ODC-By-1.0
OFL-1.1 OGL-UK-3.0 PDDL-1.0 PostgreSQL PSF-2.0 Python-2.0 Unicode-3.0 Unlicense W3C Zlib`.split(/\s+/);

const squash = (text: string): string => text.toLowerCase().replace(/[^a-z0-9]+/g, '');

const BY_NAME = new Map(SPDX.map((id) => [squash(id), id]));
for (const [name, id] of [
  ['apache 2', 'Apache-2.0'],
  ['apache license 2.0', 'Apache-2.0'],
  ['apache license version 2.0', 'Apache-2.0'],
  ['mit license', 'MIT'],
  ['the mit license', 'MIT'],
  ['cc0', 'CC0-1.0'],
  ['cc zero', 'CC0-1.0'],
  ['creative commons zero', 'CC0-1.0'],
  ['cc0 1.0 universal', 'CC0-1.0'],
  ['creative commons attribution 4.0', 'CC-BY-4.0'],
  ['creative commons attribution 4.0 international', 'CC-BY-4.0'],
  ['creative commons attribution-sharealike 4.0', 'CC-BY-SA-4.0'],
  ['creative commons attribution-sharealike 4.0 international', 'CC-BY-SA-4.0'],
  ['creative commons attribution-sharealike 3.0', 'CC-BY-SA-3.0'],
  ['gpl-2.0', 'GPL-2.0-only'],
  ['gpl-3.0', 'GPL-3.0-only'],
  ['lgpl-2.1', 'LGPL-2.1-only'],
  ['lgpl-3.0', 'LGPL-3.0-only'],
  ['agpl-3.0', 'AGPL-3.0-only'],
  ['bsd 3-clause license', 'BSD-3-Clause'],
  ['bsd 2-clause license', 'BSD-2-Clause'],
  ['odc-by', 'ODC-By-1.0'],
  ['odbl', 'ODbL-1.0'],
] as const) {
  BY_NAME.set(squash(name), id);
}

const CC_URL = /creativecommons\.org\/(?:licenses\/([a-z-]+)|publicdomain\/(zero))\/(\d\.\d)/i;

/** The SPDX id a licence text names (any case, common long names, Creative Commons addresses), else the text trimmed. */
export function normaliseLicence(text: string): string {
  const trimmed = text.trim();
  const cc = CC_URL.exec(trimmed);
  const named = cc ? (cc[2] ? `cc0-${cc[3]}` : `cc-${cc[1]}-${cc[3]}`) : trimmed;
  return BY_NAME.get(squash(named)) ?? trimmed;
}

/** Whether two licence names are the same one, by SPDX id and whatever their case. */
export const sameLicence = (a: string, b: string): boolean =>
  normaliseLicence(a).toLowerCase() === normaliseLicence(b).toLowerCase();
