const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})[Tt](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?(?:[Zz]|[+-](\d{2}):(\d{2}))$/;

/** What is wrong with a timestamp, or undefined: RFC 3339 with upper- or lower-case T and Z. */
export function timestampProblem(text: string): string | undefined {
  const parts = RFC3339.exec(text);
  const problem = 'must be an RFC 3339 timestamp such as 2030-01-31T09:30:00Z';
  if (!parts) return problem;
  const [year, month, day, hour, minute, second, zoneHour = 0, zoneMinute = 0] = parts.slice(1).map(Number);
  const days = new Date(Date.UTC(year!, month!, 0)).getUTCDate();
  const right =
    month! >= 1 && month! <= 12 && day! >= 1 && day! <= days && hour! <= 23 && minute! <= 59 && second! <= 60;
  const zone = (zoneHour || 0) <= 23 && (zoneMinute || 0) <= 59;
  return right && zone && Number.isFinite(Date.parse(text)) ? undefined : problem;
}
