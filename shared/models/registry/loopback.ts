/** Whether a host name of a URL is this machine's own: 127/8, ::1 or localhost. */
export function isLoopback(hostname: string): boolean {
  return /^(?:localhost|\[::1\]|127(?:\.\d{1,3}){3})$/i.test(hostname);
}
