/** What `save_report` takes, with an item of each list. */
export const REPORT = Object.freeze({
  title: 'R',
  project: 'web',
  sections: [{ title: 'S', content: 'C' }],
  findings: [{ description: 'F', severity: 'low' }],
  recommendations: [{ action: 'A', priority: 'low' }],
  attachments: [{ name: 'N', content: 'C' }],
});
