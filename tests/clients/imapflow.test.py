"""imapflow and nodemailer, the libraries most used from Node.js: imapflow.mjs does the work."""
import os

from probe import *

modules = os.path.join(E["INSTALLED"], "npm", "node_modules")
need("node", os.path.join(modules, "imapflow"), os.path.join(modules, "nodemailer"))
# Modules are looked for beside the file that asks for them.
script = write("imapflow.mjs", open(os.path.join(E["CLIENTS"], "imapflow.mjs"), "rb").read())
os.symlink(modules, "node_modules")
output = run("node", script, env={"NODE_EXTRA_CA_CERTS": CA, "TEST_HOST": HOST})
print(output)
done(output.strip().splitlines()[-1])
