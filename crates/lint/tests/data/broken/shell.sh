#!/bin/sh
echo "version: STSv1\nmode: enforce\nmx: mail.example.org\nmax_age: 1209600\n"
