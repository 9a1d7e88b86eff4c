import { LabIcon } from '@jupyterlab/ui-components';

const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="16" viewBox="0 0 16 16">
  <g class="jp-icon3" fill="#616161">
    <rect x="1" y="2" width="6" height="3" rx="1"/>
    <rect x="5" y="6.5" width="7" height="3" rx="1"/>
    <rect x="9" y="11" width="6" height="3" rx="1"/>
  </g>
</svg>`;

/** A call and the calls below it. */
export const traceIcon = new LabIcon({ name: 'rlm-kernel:trace', svgstr: SVG });
