import { useEffect } from 'react';

export function useTitle(title) {
  useEffect(() => {
    document.title = title;
  }, [title]);
}

// The title and heading that every page has.
export function Page({ title, heading = title, lead, className, children }) {
  useTitle(`${title} · Evenlight`);
  return (
    <article className={className}>
      <h1 tabIndex={-1}>{heading}</h1>
      {lead && <p className="lead">{lead}</p>}
      {children}
    </article>
  );
}
