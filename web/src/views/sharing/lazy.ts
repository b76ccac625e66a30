/** What few people open, and what brings a library with it. */
export const qr = () => import('./QrCode.svelte');
