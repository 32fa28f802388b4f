import { copying } from "./copy.js";
import { fragments } from "./fragments.js";
import { job } from "./job.js";
import { live } from "./live.js";
import { lineage } from "./lineage.js";
import { keys } from "./keys.js";
import { search } from "./search.js";
import { themes } from "./themes.js";
import { times } from "./times.js";
import { toast } from "./toast.js";
import { upload } from "./upload.js";

live(); // before the times are written anew: it keeps what the server wrote
times(document);
copying(document);
fragments(document);
keys();
lineage();
themes();
search();
job();
toast();
upload();
