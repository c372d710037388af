export function openOwnerBrowser(link: string): Promise<{ allow(authorization: string): Promise<void> }>;
